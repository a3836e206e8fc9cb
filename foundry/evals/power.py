"""The least difference that a test could have been expected to show.

"No difference found" says little without it: forty questions do not show what four hundred do.
"""

import math
from collections.abc import Callable

POWER = 0.8
"""Chance of showing a difference of the size that is stated.

Source: Cohen (1988), "Statistical Power Analysis for the Behavioral Sciences", 2nd ed., p. 56.
"""


MOST = 1_000_000
"""Questions beyond which nobody asks for more."""


def by_interval(width: float, degrees: float, *, level: float, alpha: float) -> float:
    """The least difference shown with the chance `POWER`, from the width of an interval.

    The interval is 2 t s wide, s being the standard error; a difference of (t' + t'') s is found
    by a test at `alpha` with that chance.

    Args:
        width: Of the interval of a difference at `level`.
        degrees: Degrees of freedom of the interval's t: one less than the groups of items where
            these alone are drawn, fewer where few seeds are.
        level: Of confidence of the interval.
        alpha: Chance of a false positive that the test allows, two-sided.

    Source: the multiple of the standard error is that of Bloom (1995), "Minimum detectable
    effects", Evaluation Review 19, pp. 547-556.
    """
    from scipy import stats

    spread = width / 2 / stats.t.ppf((1 + level) / 2, degrees)
    return float(_multiple(degrees, alpha) * spread)


def by_discordance(discordant: float, effective_n: float, groups: int, *, alpha: float) -> float:
    """The least difference shown with the chance `POWER`, of answers that are right or wrong.

    Connor's d with (t' sqrt(q) + t'' sqrt(q - d**2))**2 = n d**2, q being the share of items on
    which the two differ, at least d; 1/n is added because an exact test counts whole items. As in
    the interval, one imagined item is won and one is lost. 2 where no difference up to 1 is shown.

    Args:
        discordant: Share of items that one of the two has right and the other wrong, 0..1.
        effective_n: Number of independent items that tell as much as those asked.
        groups: Independent groups of items, at least 2.
        alpha: Chance of a false positive that the test allows, two-sided.

    Source: Connor (1987), "Sample size for testing differences in proportions for the
    paired-sample design", Biometrics 43, p. 209.
    """
    from scipy import optimize, stats

    critical = stats.t.ppf(1 - alpha / 2, groups - 1)
    reserve = stats.t.ppf(POWER, groups - 1)
    seen = (discordant * effective_n + 2) / (effective_n + 2)

    def short_by(size: float) -> float:
        differing = max(seen, size)
        needed = critical * math.sqrt(differing) + reserve * math.sqrt(differing - size**2)
        return float(size - 1 / effective_n - needed / math.sqrt(effective_n))

    return float(optimize.brentq(short_by, 0.0, 1.0)) if short_by(1.0) > 0 else 2.0


def can_ever_show(groups: int, alpha: float) -> bool:
    """Whether turning the signs of all groups could be rare enough: 2 of 2**G turnings."""
    return 2.0 ** (1 - groups) < alpha


def least_gain(n: int, groups: int, *, alpha: float) -> float:
    """The least gain in right answers that `n` questions in `groups` show if none is lost by it.

    The best that can be before anything is measured: whatever else the two differ in widens it.
    2 where no gain up to 1 is shown.
    """
    if groups < 2 or not can_ever_show(groups, alpha):
        return 2.0
    return by_discordance(0.0, n, groups, alpha=alpha)


def least_margin(n: int, groups: int, *, level: float) -> float:
    """The least loss of right answers that can be ruled out if the two never differ.

    Bonett and Price's interval of no difference at all is 2 t sqrt(2) / (n + 2) wide. 2 where no
    loss can be.
    """
    from scipy import stats

    if groups < 2 or not can_ever_show(groups, 1 - level):
        return 2.0
    width = 2 * float(stats.t.ppf((1 + level) / 2, groups - 1)) * math.sqrt(2) / (n + 2)
    return width / 2


def questions_for(size: float, least: Callable[[int], float]) -> int | None:
    """The fewest questions whose `least(n)` is at most `size`; None where `MOST` do not suffice."""
    low, high = 0, 2
    while least(high) > size:
        low, high = high, 2 * high
        if high > MOST:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if least(middle) > size else (low, middle)
    return high


def fewest_groups(alpha: float) -> int:
    """The fewest groups of which turning the signs could be rare enough."""
    return next(groups for groups in range(2, 100) if can_ever_show(groups, alpha))


def _multiple(degrees: float, alpha: float) -> float:
    from scipy import stats

    return float(stats.t.ppf(1 - alpha / 2, degrees) + stats.t.ppf(POWER, degrees))
