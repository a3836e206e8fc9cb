"""How sure a number is: intervals and paired tests that respect groups.

Questions about one product are alike, so groups (not questions) are what is drawn and swapped.
Every function here is deterministic for a seed.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

Verdict = Literal["BETTER", "WORSE", "NO DIFFERENCE", "NOT ENOUGH DATA"]

LEVEL = 0.95
RESAMPLES = 2000
PERMUTATIONS = 9999
FEWEST_GROUPS = 6
"""With 5 groups a two-sided sign-flip test cannot go below 2/2**5 = 0.0625; with 6 it can."""

SAME = 1e-12
"""Group means closer than this are the same up to float64 summation order."""


@dataclass(frozen=True)
class Interval:
    """A mean with its confidence interval; all None where nothing was measured."""

    mean: float | None
    low: float | None
    high: float | None
    n: int
    groups: int


@dataclass(frozen=True)
class Difference:
    """Mean of a - b over the same items, its interval, and the p value of "no difference"."""

    mean: float
    low: float
    high: float
    p_value: float
    n: int
    groups: int


def interval(
    scores: Sequence[float],
    groups: Sequence[str],
    *,
    seed: int,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
) -> Interval:
    """Confidence interval of the mean of `scores` (each in 0..1) by a bootstrap over groups.

    Source: Efron (1987), "Better bootstrap confidence intervals" (BCa), as in scipy; the ratio of
    sums over resampled clusters is Cochran's (Sampling Techniques, 3rd ed., section 9A.1).
    """
    if not scores:
        return Interval(None, None, None, 0, 0)
    sums, counts = _by_group(scores, groups)
    low, high = _bootstrap(sums, counts, bounds=(0.0, 1.0), seed=seed, draws=(level, resamples))
    mean = float(sums.sum() / counts.sum())
    return Interval(mean, low, high, len(scores), len(sums))


def paired_difference(
    a: Sequence[float],
    b: Sequence[float],
    groups: Sequence[str],
    *,
    seed: int,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
) -> Difference:
    """How much better `a` scores than `b` on the same items.

    The interval is a bootstrap over groups of the paired difference; the p value is that of a
    two-sided permutation test that swaps `a` and `b` within whole groups (exact with up to 13
    groups that differ, since 2**13 is less than `PERMUTATIONS`).

    Raises:
        ValueError: The three sequences differ in length or are empty.

    Source: Good (2005), "Permutation, Parametric, and Bootstrap Tests of Hypotheses".
    """
    if not (len(a) == len(b) == len(groups) and a):
        raise ValueError(f"paired scores of {len(a)}, {len(b)} and {len(groups)} items")
    sums, counts = _by_group([x - y for x, y in zip(a, b, strict=True)], groups)
    low, high = _bootstrap(sums, counts, bounds=(-1.0, 1.0), seed=seed, draws=(level, resamples))
    mean = float(sums.sum() / counts.sum())
    return Difference(mean, low, high, _p_value(sums, seed), len(a), len(sums))


def verdict(difference: Difference, *, level: float = LEVEL) -> Verdict:
    """What a difference allows us to say.

    NOT ENOUGH DATA with fewer than `FEWEST_GROUPS` groups; BETTER or WORSE only if the interval
    lies wholly on one side of 0 *and* the permutation test agrees at the same level; else
    NO DIFFERENCE, which means that none was shown, not that there is none.
    """
    if difference.groups < FEWEST_GROUPS:
        return "NOT ENOUGH DATA"
    if difference.p_value < 1 - level:
        if difference.low > 0:
            return "BETTER"
        if difference.high < 0:
            return "WORSE"
    return "NO DIFFERENCE"


def _by_group(values: Sequence[float], groups: Sequence[str]) -> "tuple[Array, Array]":
    """Sum and number of the values of each group, both of shape (G,)."""
    import numpy as np

    _, index = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    sums = np.bincount(index, weights=np.asarray(values, dtype=np.float64)).astype(np.float64)
    counts = np.bincount(index).astype(np.float64)
    return sums, counts


def _ratio(sums: "Array", counts: "Array", axis: int = -1) -> "Array":
    quotient: Array = sums.sum(axis=axis) / counts.sum(axis=axis)
    return quotient


def _bootstrap(
    sums: "Array",
    counts: "Array",
    *,
    bounds: tuple[float, float],
    seed: int,
    draws: tuple[float, int],
) -> tuple[float, float]:
    """BCa interval of the ratio; percentile where BCa is not defined; see `no_spread` too."""
    import numpy as np
    from scipy import stats

    level, resamples = draws
    means = sums / counts  # (G,)
    if len(sums) < 2 or np.ptp(means) < SAME:
        return no_spread(float(means[0]), len(sums), bounds=bounds, level=level)
    for method in ("BCa", "percentile"):
        with warnings.catch_warnings():
            # scipy says DegenerateDataWarning and gives NaN where every resample is on one side.
            warnings.simplefilter("ignore")
            result = stats.bootstrap(
                (sums, counts),
                _ratio,
                paired=True,
                vectorized=True,
                n_resamples=resamples,
                confidence_level=expanded(level, len(sums)),
                method=method,
                rng=np.random.default_rng(seed),
            ).confidence_interval
        if np.isfinite(result.low) and np.isfinite(result.high):
            break
    return float(result.low), float(result.high)


def expanded(level: float, groups: int) -> float:
    """The level to ask of the bootstrap so that few groups still give `level`.

    A bootstrap is as narrow as z would be where t is due: 14 groups of 1 to 6 items at 0.80 were
    covered 90 % of the time without this and 94 % with it (400 simulated sets).

    Source: Hesterberg (2015), "What Teachers Should Know About the Bootstrap", section 5.3.
    """
    from scipy import stats

    reach = (groups / (groups - 1)) ** 0.5 * stats.t.ppf((1 + level) / 2, groups - 1)
    return float(1 - 2 * stats.norm.sf(reach))


def no_spread(
    value: float, groups: int, *, bounds: tuple[float, float], level: float
) -> tuple[float, float]:
    """Interval where every group has the same mean, which a bootstrap would call certain.

    At most a share u of unseen groups differs: u = 1 - (alpha/2)**(1/groups), the upper
    Clopper-Pearson limit for 0 of `groups`; those may lie anywhere within `bounds`.
    """
    share = 1 - ((1 - level) / 2) ** (1 / groups)
    low, high = bounds
    return value + share * (low - value), value + share * (high - value)


def _p_value(sums: "Array", seed: int) -> float:
    """Two-sided p value of the sum of group differences, each as likely with its sign turned.

    Groups without a difference are left out: turning them changes nothing, and the fewer there
    are the sooner the test is exact.
    """
    import numpy as np
    from scipy import stats

    sums = sums[np.abs(sums) > SAME]
    if len(sums) < 2:
        return 1.0
    result = stats.permutation_test(
        (sums, np.zeros_like(sums)),
        lambda a, b, axis=-1: a.sum(axis=axis) - b.sum(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=PERMUTATIONS,
        alternative="two-sided",
        rng=np.random.default_rng(seed),
    )
    return float(result.pvalue)
