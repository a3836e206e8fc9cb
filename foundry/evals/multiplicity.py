"""Many differences judged together, so that chance alone seldom makes any of them look real."""

from collections.abc import Sequence
from dataclasses import replace

from foundry.evals.statistics import Difference


def judged_together(differences: Sequence[Difference]) -> list[Difference]:
    """The same differences with p values that allow for their number; intervals stay as they are.

    The chance that anything equal is called different, in the whole report, stays at the level.
    """
    adjusted = holm([difference.p_value for difference in differences])
    return [
        replace(difference, p_adjusted=p, comparisons=len(differences))
        for difference, p in zip(differences, adjusted, strict=True)
    ]


def holm(p_values: Sequence[float]) -> list[float]:
    """P values corrected for their number, in their order, each at most 1.

    The k-th smallest of m is multiplied by m - k + 1 and is at least the one before.

    Source: Holm (1979), "A simple sequentially rejective multiple test procedure", Scandinavian
    J. of Statistics 6, pp. 65-70.
    """
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted
