"""What could have been shown is stated, and never promised too small."""

import pytest

from foundry.evals import power
from foundry.evals.statistics import Difference, detectable, paired_difference

MANY = 10**6


def equal(n: int, *, groups: int | None = None) -> Difference:
    """Two models that each have a tenth of the items right that the other has wrong."""
    a, b = [1.0] * (n // 10) + [0.0] * (n - n // 10), [0.0] * (n - n // 10) + [1.0] * (n // 10)
    return paired_difference(a, b, [str(k % (groups or n)) for k in range(n)], seed=0)


def test_least_difference_is_connors():
    # Sample size 23 for shares 0.45 and 0.05 of discordant pairs, by powerandsamplesize.com
    n, discordant, size = 23, 0.5, 0.4
    seen = (discordant * (n + 2) - 2) / n  # one more won and one more lost is imagined

    found = power.by_discordance(seen, n, MANY, alpha=0.05)

    assert size < found < size + 1.5 / n  # an exact test counts whole items


def test_least_difference_is_2_8_standard_errors():
    found = power.by_interval(2 * 1.95996 * 0.03, MANY, level=0.95, alpha=0.05)

    assert found == pytest.approx(2.8016 * 0.03, abs=1e-5)


def test_more_items_show_less():
    found = [detectable(equal(n)) for n in (40, 100, 400)]

    assert found == sorted(found, reverse=True)
    assert found[2] < 0.08 < 0.2 < found[0]


def test_groups_show_less_than_single_items():
    # Items of a group that differ both ways are as good as independent, but few groups show little
    assert detectable(equal(100, groups=20)) > detectable(equal(100))


@pytest.mark.parametrize(("groups", "comparisons"), [(5, 1), (10, 30)])
def test_too_few_groups_show_nothing(groups, comparisons):
    found = Difference(0.0, -0.1, 0.1, 1.0, 60, groups, comparisons=comparisons)

    assert detectable(found) is None


def test_more_comparisons_ask_for_more():
    alone = Difference(0.0, -0.1, 0.1, 1.0, 60, 60)
    among = Difference(0.0, -0.1, 0.1, 1.0, 60, 60, comparisons=20)

    assert detectable(alone) == pytest.approx(0.1 * (2.0010 + 0.8479) / 2.0010, abs=1e-4)
    assert detectable(among) > 1.3 * detectable(alone)


def test_equal_answers_do_not_make_everything_detectable():
    found = paired_difference([1.0] * 40, [1.0] * 40, [str(n) for n in range(40)], seed=0)

    assert detectable(found) > 8 / 40  # an exact test needs six of forty at the very least
