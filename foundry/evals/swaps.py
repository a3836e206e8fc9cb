"""P values of "no difference" between two that answered the same items, by swapping groups.

If the two do not differ, either could have given either's answers to a group of items: the sign
of each group's difference is as likely to be turned. The p value is the share of all turnings in
which the sum is as far from 0 as it is, or further.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

Test = Literal["exact McNemar", "paired permutation"]

PERMUTATIONS, MORE_PERMUTATIONS = 9_999, 99_999
FEW = 20 / (PERMUTATIONS + 1)
"""A share that few turnings decide is counted in more of them: beside many others it must be small
to count, and n turnings cannot give less than 2/(n + 1)."""
SAME = 1e-12
"""Sums closer to 0 than this are 0 up to float64 summation order."""


def paired_p_value(sums: "Array", counts: "Array", *, whole: bool, seed: int) -> tuple[float, Test]:
    """Two-sided p value, and the test that gave it.

    Groups without a difference are left out: turning them changes nothing, and the fewer there
    are the sooner the test is exact. McNemar's test where each group is one item that is right or
    wrong; where several items share a group they are swapped together, since their answers are
    not independent. Scores of right or wrong make both exact.

    Args:
        sums: Difference of each group, summed over its items, shape (G,).
        counts: Items of each group, shape (G,).
        whole: Whether every score is 0 or 1.
        seed: For the permutations, where they are too many to go through all.

    Source: McNemar (1947), "Note on the sampling error of the difference between correlated
    proportions or percentages", Psychometrika 12, pp. 153-157, in its exact form; Good (2005),
    "Permutation, Parametric, and Bootstrap Tests of Hypotheses", 3rd ed.
    """
    import numpy as np

    differing = sums[np.abs(sums) > SAME]
    if whole and counts.max() == 1:
        return _mcnemar(int((differing > 0).sum()), len(differing)), "exact McNemar"
    if len(differing) < 2:
        return 1.0, "paired permutation"
    if whole:
        return _every_turning(np.rint(differing).astype(np.int64)), "paired permutation"
    return _permuted(differing, seed), "paired permutation"


def _mcnemar(won: int, differing: int) -> float:
    from scipy import stats

    return float(stats.binomtest(won, differing).pvalue) if differing else 1.0


def _every_turning(sums: "NDArray[np.int64]") -> float:
    """The exact p value for whole sums, one convolution a group.

    Source: Pagano and Tritchler (1983), "On obtaining permutation distributions in polynomial
    time", J. American Statistical Association 78, pp. 435-440.
    """
    import numpy as np

    reach = int(np.abs(sums).sum())
    chances = np.zeros(2 * reach + 1)  # of each sum in -reach..reach
    chances[reach] = 1.0
    for step in np.abs(sums).tolist():
        chances = (np.roll(chances, step) + np.roll(chances, -step)) / 2
    far = np.abs(np.arange(-reach, reach + 1)) >= abs(int(sums.sum()))
    return min(1.0, float(chances[far].sum()))


def _permuted(sums: "Array", seed: int) -> float:
    import numpy as np

    def apart(a: "Array", b: "Array", axis: int = -1) -> "Array":
        found: Array = a.sum(axis=axis) - b.sum(axis=axis)
        return found

    return drawn_p_value((sums, np.zeros_like(sums)), apart, seed, batch=PERMUTATIONS)


def drawn_p_value(
    pair: tuple[Any, Any], statistic: Callable[..., Any], seed: int, *, batch: int
) -> float:
    """Two-sided p value of a statistic of two whose places are turned, item by item.

    Args:
        pair: What stands in both places, each of shape (G,).
        statistic: Takes both and an axis.
        seed: For the turnings, where they are too many to go through all.
        batch: How many are held at once.

    Source: `scipy.stats.permutation_test` 1.18; the p value counts what was seen as one of the
    turnings (Phipson and Smyth 2010, "Permutation p-values should never be zero").
    """
    import numpy as np
    from scipy import stats

    p_value = 1.0
    for count in (PERMUTATIONS, MORE_PERMUTATIONS):
        result = stats.permutation_test(
            pair,
            statistic,
            permutation_type="samples",
            vectorized=True,
            batch=batch,
            n_resamples=count,
            alternative="two-sided",
            rng=np.random.default_rng(seed),
        )
        p_value = float(result.pvalue)
        if p_value > FEW:
            break
    return p_value
