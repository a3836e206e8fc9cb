"""Intervals of what is either right or wrong, for questions that come in groups.

A bootstrap does not know how a share behaves near 0 and 1: of 34 groups of six, right 95 % of the
time and mostly as a whole, it covered the truth 90 times in 100. Score intervals do, once the
number of questions is brought down to the number of independent ones that tell as much.
`scripts/simulate_statistics.py` measures both, see docs/evaluation.md.
"""

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

Limits = tuple[float, float]

IMAGINED_GROUPS = 1
"""Groups that are taken to agree wholly, beside those that were seen to bear on the variance.

A few groups cannot show how much questions of a group agree: the variance between them is then
too small as often as not, and intervals cover less than they say (Franco et al. 2019, "Comparative
Study of Confidence Intervals for Proportions in Complex Sample Surveys", J. Survey Statistics and
Methodology 7(3), pp. 334-364, PMC6690503). Of 0, 1, 2 and 3 tried in simulations of 800 sets, 0
covered as little as 90 % and 1 was the first to cover 95 % everywhere.
"""


class Pairs(NamedTuple):
    """A difference of two shares of the same items: how many items it rests on.

    `discordant` is the share of items that one of the two has right and the other wrong,
    `effective_n` the number of independent items that would tell as much.
    """

    low: float
    high: float
    discordant: float
    effective_n: float


def share_limits(right: "Array", counts: "Array", *, level: float) -> Limits:
    """Wilson's interval of a share, at the effective number of items and with Student's t.

    Args:
        right: How many items of each group are right, shape (G,), G > 1.
        counts: How many items each group has, shape (G,).
        level: Of confidence.

    Source: Wilson (1927), "Probable inference, the law of succession, and statistical inference",
    J. American Statistical Association 22, pp. 209-212; the effective number and t as in Korn and
    Graubard (1998), "Confidence intervals for proportions with small expected number of positive
    counts estimated from survey data", Survey Methodology 24, pp. 193-201.
    """
    n = float(counts.sum())
    share = float(right.sum()) / n
    rarer = right if share <= 0.5 else counts - right
    bearing = int((rarer > 0).sum())
    n /= _design_effect(right - share * counts, counts, share * (1 - share), bearing)
    return wilson(share, n, _quantile(level, len(counts)))


def wilson(share: float, n: float, t: float) -> Limits:
    """Wilson's limits of a share of `n` items at the quantile `t`."""
    middle = (share + t**2 / (2 * n)) / (1 + t**2 / n)
    reach = t / (1 + t**2 / n) * (share * (1 - share) / n + t**2 / (4 * n**2)) ** 0.5
    return max(0.0, middle - reach), min(1.0, middle + reach)


def difference_limits(won: "Array", lost: "Array", counts: "Array", *, level: float) -> Pairs:
    """Bonett and Price's interval of the difference of two shares of the same items.

    One imagined item is won and one is lost, so that no data give an interval without width. The
    number of items is the effective one and the quantile Student's, as in `share_limits`.

    Args:
        won: How many items of each group the first has right and the second wrong, shape (G,).
        lost: The other way round, shape (G,).
        counts: How many items each group has, shape (G,), G > 1.
        level: Of confidence.

    Source: Bonett and Price (2012), "Adjusted Wald confidence interval for a difference of
    binomial proportions based on paired data", J. Educational and Behavioral Statistics 37, pp.
    479-488; recommended by Fagerland, Lydersen and Laake (2014), Statistics in Medicine 33, pp.
    2850-2875.
    """
    n = float(counts.sum())
    mean, discordant = float((won - lost).sum()) / n, float((won + lost).sum()) / n
    residuals, bearing = won - lost - mean * counts, int((won + lost > 0).sum())
    n /= _design_effect(residuals, counts, discordant - mean**2, bearing)
    low, high = bonett_price(mean, discordant, n, _quantile(level, len(counts)))
    return Pairs(low, high, discordant, n)


def bonett_price(mean: float, discordant: float, n: float, t: float) -> Limits:
    """Bonett and Price's limits of the mean of `n` differences at the quantile `t`."""
    middle = mean * n / (n + 2)
    variance = ((discordant * n + 2) / (n + 2) - middle**2) / (n + 2)
    reach = t * variance**0.5
    return max(-1.0, middle - reach), min(1.0, middle + reach)


def _design_effect(residuals: "Array", counts: "Array", variance: float, bearing: int) -> float:
    """How many times as many items it takes in these groups as in groups of one, at least 1.

    The variance between groups over that of independent items, averaged over the groups that
    bear on it and `IMAGINED_GROUPS` in which all items agree.

    Source: Kish (1965), "Survey Sampling", for the design effect; Cochran (1977), "Sampling
    Techniques", 3rd ed., chapter 9A, for the variance of a ratio over clusters of unequal size.
    """
    most = float((counts**2).sum() / counts.sum())
    found = 1.0
    if variance > 0:
        groups, n = len(counts), float(counts.sum())
        between = groups / (groups - 1) * float((residuals**2).sum()) / n
        found = max(1.0, between / (variance * n / (n - 1)))
    return (bearing * found + IMAGINED_GROUPS * most) / (bearing + IMAGINED_GROUPS)


def _quantile(level: float, groups: int) -> float:
    from scipy import stats

    return float(stats.t.ppf((1 + level) / 2, groups - 1))
