"""Intervals and differences of recipes that were each trained with several seeds.

Two things are drawn by chance: the questions, and what a seed decides (the first numbers of the
adapter and the order of the rows). Averaging over the seeds and looking at the questions alone
would call the luck of a seed a difference between recipes. So both are added up:

    variance of a number = that of the questions (what was observed averaged over the seeds,
                           groups of questions drawn anew)
                         + that of the seeds (each with its number) / how many there are

What is left of both is in each of the two, so the sum is rather too large than too small. The
degrees of freedom are Satterthwaite's; three seeds therefore prove much less than thirty. In 200
simulated pairs of equal recipes, three seeds of which each shifted the share of right answers by
0.1 at random, 3 % were called different; looking at the questions alone, 28 %.

Source: Bouthillier et al. (2021), "Accounting for Variance in Machine Learning Benchmarks",
https://arxiv.org/abs/2103.03098; Brennan (2001), "Generalizability Theory", chapter 2 (the
crossed design); Satterthwaite (1946), "An Approximate Distribution of Estimates of Variance
Components".
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, variance
from typing import Any

from foundry.evals.aggregates import Mean, Pooled
from foundry.evals.statistics import LEVEL, Difference, Interval
from foundry.evals.swaps import SAME

Rows = Sequence[Sequence[Any]]
"""What was observed of N items with each of K seeds, shape (K, N): scores or counts."""


def averaged(rows: Rows) -> list[Any]:
    """What was observed of each item, shape (N,), averaged over the seeds."""
    return [_average(observed) for observed in zip(*rows, strict=True)]


def interval(aggregate: Mean | Pooled, rows: Rows, groups: Sequence[str], *, seed: int) -> Interval:
    """The number of a recipe, with an interval that holds for other questions and other seeds.

    Args:
        aggregate: Of the metric.
        rows: Of at least one item. With one seed the interval says nothing of other seeds.
        groups: The group of each item, shape (N,).
        seed: Of the bootstrap.
    """
    own = aggregate.interval(averaged(rows), groups, seed=seed)
    if own.mean is None or own.low is None or own.high is None or len(rows) < 2:
        return own
    found = _reach(own.mean, (own.low, own.high, own.groups), [numbers(aggregate, rows)])
    low, high = max(0.0, own.mean - found.half), min(1.0, own.mean + found.half)
    return replace(own, low=min(own.low, low), high=max(own.high, high))


def difference(
    aggregate: Mean | Pooled, a: Rows, b: Rows, groups: Sequence[str], *, seed: int
) -> Difference:
    """How much larger the number of recipe `a` is than that of `b`, on the same items.

    Seeds of `a` and `b` are not paired: equal seeds need not have equal luck. Interval and p value
    are the more cautious of the aggregate's own, on what was observed averaged over the seeds, and
    of Welch's t with the variances of questions and seeds added. With one seed on a side only the
    first is known, and the result is one about these trainings, not about the recipes.

    Args:
        aggregate: Of the metric.
        a: Of at least one item.
        b: Of the same items; its seeds may be others and of another number.
        groups: The group of each item, shape (N,).
        seed: Of the bootstrap and the permutations.

    Source: Welch (1947), "The generalization of 'Student's' problem".
    """
    own = aggregate.difference(averaged(a), averaged(b), groups, seed=seed)
    if min(len(a), len(b)) < 2:
        return own
    each = [numbers(aggregate, rows) for rows in (a, b)]
    found = _reach(own.mean, (own.low, own.high, own.groups), each)
    is_wider = 2 * found.half > own.high - own.low
    return replace(
        own,
        low=min(own.low, max(-1.0, own.mean - found.half)),
        high=max(own.high, min(1.0, own.mean + found.half)),
        p_value=max(own.p_value, found.p_value),
        degrees=found.degrees if is_wider else own.degrees,
    )


def numbers(aggregate: Mean | Pooled, rows: Rows) -> list[float]:
    """The number of each seed."""
    return [aggregate.value(row) for row in rows]


def _average(observed: Sequence[Any]) -> Any:
    if isinstance(observed[0], Mapping):
        names = dict.fromkeys(name for counts in observed for name in counts)
        return {name: fmean(counts.get(name, 0.0) for counts in observed) for name in names}
    return fmean(observed)


@dataclass(frozen=True)
class Reach:
    """Half the width of a t interval, its degrees of freedom, and the p value of the value being 0.

    `degrees` is None where nothing varies; `p_value` is two-sided.
    """

    half: float
    degrees: float | None
    p_value: float


def _reach(
    value: float, of_items: tuple[float, float, int], of_seeds: Sequence[Sequence[float]]
) -> Reach:
    """The t interval of `value` with the variances of questions and seeds added.

    Args:
        value: A number or a difference of numbers.
        of_items: Its interval where only the questions are drawn, and how many groups there are.
        of_seeds: For each recipe the number of each of its seeds, two at least.
    """
    from scipy import stats

    low, high, groups = of_items
    parts = [(variance(found) / len(found), len(found) - 1) for found in of_seeds]
    if groups > 1:
        error = (high - low) / 2 / stats.t.ppf((1 + LEVEL) / 2, groups - 1)
        parts.append((float(error) ** 2, groups - 1))
    total = math.fsum(part for part, _free in parts)
    if total < SAME**2:
        return Reach(0.0, None, 1.0 if abs(value) < SAME else 0.0)
    free = total**2 / math.fsum(part**2 / degrees for part, degrees in parts)
    error = math.sqrt(total)
    p_value = 2 * float(stats.t.sf(abs(value) / error, free))
    return Reach(float(stats.t.ppf((1 + LEVEL) / 2, free)) * error, free, p_value)
