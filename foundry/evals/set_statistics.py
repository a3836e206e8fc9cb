"""How sure a pooled number is (macro F1 and others that are no mean), respecting groups.

The same bootstrap over groups and the same swap of whole groups as in `statistics`, with the
number made anew of the counts of every resampled set.
"""

import math
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from foundry.evals.companions import Counts, Statistic
from foundry.evals.statistics import (
    LEVEL,
    RESAMPLES,
    Difference,
    Interval,
    expanded,
    no_spread,
)
from foundry.evals.swaps import SAME, drawn_p_value

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Index = NDArray[np.intp]

BATCH = 1000
"""Sets drawn at once; bounds the memory and changes no number."""
DECIMALS = 12
"""Differences are rounded so that ties are ties, which BCa counts by halves."""


def pooled(counts: Sequence[Counts], number: Statistic) -> float:
    """The number that the sums over all items make."""
    names, sums_GK = _by_group(counts, [""] * len(counts))
    return float(_numbers(names, sums_GK[0], number))


def interval(
    counts: Sequence[Counts], groups: Sequence[str], number: Statistic, *, seed: int
) -> Interval:
    """The number of all items and its interval by a bootstrap over groups (BCa).

    Source: Efron (1987), "Better bootstrap confidence intervals".
    """
    if not counts:
        return Interval(None, None, None, 0, 0)
    names, sums_GK = _by_group(counts, groups)

    def made(sums: "Array") -> "Array":
        return _numbers(names, sums, number)

    low, high = _bootstrap(sums_GK, made, bounds=(0.0, 1.0), seed=seed)
    return Interval(pooled(counts, number), low, high, len(counts), len(sums_GK))


def paired_difference(
    a: Sequence[Counts],
    b: Sequence[Counts],
    groups: Sequence[str],
    number: Statistic,
    *,
    seed: int,
) -> Difference:
    """How much larger the number is of `a` than of `b`, both counted on the same items.

    Args:
        a, b: What each item counts, in one order.
        groups: The group of each item.
        number: What is compared.
        seed: For the bootstrap and the permutation test.

    Raises:
        ValueError: The three sequences differ in length or are empty.
    """
    import numpy as np

    if not (len(a) == len(b) == len(groups) and a):
        raise ValueError(f"paired counts of {len(a)}, {len(b)} and {len(groups)} items")
    names, both = _by_group([*a, *b], [*(f"a{g}" for g in groups), *(f"b{g}" for g in groups)])
    n = len(both) // 2
    a_GK, b_GK = both[:n], both[n:]

    def made(sums: "Array") -> "Array":
        ours, theirs = np.split(sums, 2, axis=-1)
        apart = _numbers(names, ours, number) - _numbers(names, theirs, number)
        return np.round(apart, DECIMALS)

    low, high = _bootstrap(np.hstack([a_GK, b_GK]), made, bounds=(-1.0, 1.0), seed=seed)
    value = pooled(a, number) - pooled(b, number)
    p_value = _p_value(names, a_GK, b_GK, number, seed)
    return Difference(value, low, high, p_value, len(a), n)


def _by_group(counts: Sequence[Counts], groups: Sequence[str]) -> "tuple[list[str], Array]":
    """The names counted, K of them, and their sums in each group in the order of its name."""
    import numpy as np

    names = sorted({name for one in counts for name in one})
    column = {name: k for k, name in enumerate(names)}
    _, rows = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    sums_GK = np.zeros((rows.max() + 1, len(names)))
    for row, one in zip(rows, counts, strict=True):
        for name, value in one.items():
            sums_GK[row, column[name]] += value
    return names, sums_GK


def _drawn(sums_GK: "Array", index: "Index") -> "Array":
    """The sums of each drawn set of groups: `index` (..., any number) -> (..., K)."""
    import numpy as np

    flat, n = index.reshape(-1, index.shape[-1]), len(sums_GK)
    places = (flat + n * np.arange(len(flat))[:, None]).ravel()
    times_RG = np.bincount(places, minlength=n * len(flat)).reshape(len(flat), n)
    return (times_RG @ sums_GK).reshape(*index.shape[:-1], -1)


def _numbers(names: Sequence[str], sums: "Array", number: Statistic) -> "Array":
    """The number of each row of sums: (..., K) -> (...)."""
    import numpy as np

    rows_NK = sums.reshape(math.prod(sums.shape[:-1]), len(names))
    made = number(dict(zip(names, rows_NK.T, strict=True)))
    return np.broadcast_to(made, len(rows_NK)).reshape(sums.shape[:-1])


def _bootstrap(
    sums_GK: "Array",
    made: Callable[["Array"], "Array"],
    *,
    bounds: tuple[float, float],
    seed: int,
) -> tuple[float, float]:
    """BCa interval; percentile where BCa is not defined; `no_spread` where no group matters."""
    import numpy as np
    from scipy import stats

    whole_K, n = sums_GK.sum(axis=0), len(sums_GK)
    if n < 2 or np.ptp(made(whole_K - sums_GK)) < SAME:
        return no_spread(float(made(whole_K)), n, bounds=bounds, level=LEVEL)
    for method in ("BCa", "percentile"):
        with warnings.catch_warnings():
            # scipy says DegenerateDataWarning and gives NaN where every resample is on one side.
            warnings.simplefilter("ignore")
            result = stats.bootstrap(
                (np.arange(n),),
                lambda index, axis=-1: made(_drawn(sums_GK, index)),
                vectorized=True,
                batch=BATCH,
                n_resamples=RESAMPLES,
                confidence_level=expanded(LEVEL, n),
                method=method,
                rng=np.random.default_rng(seed),
            ).confidence_interval
        if np.isfinite(result.low) and np.isfinite(result.high):
            break
    return float(result.low), float(result.high)


def _p_value(
    names: Sequence[str], a_GK: "Array", b_GK: "Array", number: Statistic, seed: int
) -> float:
    """Two-sided p value of the difference with `a` and `b` swapped in whole groups.

    Groups where both count the same are never swapped, so that the test is exact the sooner.
    """
    import numpy as np

    differ = np.abs(a_GK - b_GK).max(axis=1, initial=0.0) > SAME
    if differ.sum() < 2:
        return 1.0
    same_K = a_GK[~differ].sum(axis=0)
    stacked = np.concatenate([a_GK[differ], b_GK[differ]])

    def swapped(first: "Index", second: "Index", axis: int = -1) -> "Array":
        ours = _numbers(names, same_K + _drawn(stacked, first), number)
        return ours - _numbers(names, same_K + _drawn(stacked, second), number)

    n = int(differ.sum())
    return drawn_p_value((np.arange(n), np.arange(n, 2 * n)), swapped, seed, batch=BATCH)
