"""A number that is no mean has the interval and the test of a mean where it happens to be one."""

import random

import pytest

from foundry.core.errors import ProofError
from foundry.evals import set_statistics, statistics
from foundry.evals.aggregates import Pooled
from foundry.evals.companions import share


def mean(sums):
    return share(sums["right"], sums["n"])


def counted(scores):
    return [{"right": score, "n": 1} for score in scores]


@pytest.fixture
def drawn():
    rng = random.Random(3)
    a = [0.75 if rng.random() < 0.8 else 0.25 for _ in range(60)]
    b = [0.75 if rng.random() < 0.5 else 0.25 for _ in range(60)]
    return a, b, [f"g{n // 2}" for n in range(60)]


def test_interval_of_a_pooled_mean_is_that_of_the_mean(drawn):
    a, _b, groups = drawn

    pooled = set_statistics.interval(counted(a), groups, mean, seed=5)

    plain = statistics.interval(a, groups)
    assert (pooled.mean, pooled.n, pooled.groups) == (plain.mean, plain.n, plain.groups)
    # The one is drawn, the other computed: 0.025 apart at most over ten seeds of the data.
    assert (pooled.low, pooled.high) == pytest.approx((plain.low, plain.high), abs=0.03)


def test_difference_of_pooled_means_is_that_of_the_means(drawn):
    a, b, groups = drawn

    pooled = set_statistics.paired_difference(counted(a), counted(b), groups, mean, seed=5)

    plain = statistics.paired_difference(a, b, groups, seed=5)
    assert pooled.mean == pytest.approx(plain.mean)
    assert (pooled.low, pooled.high) == pytest.approx((plain.low, plain.high), abs=0.05)
    assert pooled.p_value == pytest.approx(plain.p_value, abs=0.005)  # 9,999 random swaps


@pytest.mark.parametrize("n", [1, 8])
def test_a_number_that_no_group_changes_is_not_called_certain(n):
    found = set_statistics.interval(counted([0.5] * n), [str(k) for k in range(n)], mean, seed=0)

    plain = statistics.interval([0.5] * n, [str(k) for k in range(n)])
    assert (found.low, found.high) == (plain.low, plain.high)


def test_equal_sets_do_not_differ(drawn):
    a, _b, groups = drawn

    found = set_statistics.paired_difference(counted(a), counted(a), groups, mean, seed=5)

    assert (found.mean, found.p_value) == (0.0, 1.0)
    assert statistics.verdict(found) == "NO DIFFERENCE"


def test_groups_and_not_items_are_drawn():
    """60 items of 6 groups that are alike within say as little as 6 items."""
    alike = [float(n // 10 % 2) for n in range(60)]
    groups = [str(n // 10) for n in range(60)]

    wide = set_statistics.interval(counted(alike), groups, mean, seed=1)
    narrow = set_statistics.interval(counted(alike), [str(n) for n in range(60)], mean, seed=1)

    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


def test_a_number_out_of_range_is_refused():
    twice = Pooled("twice", lambda item, answer: {}, lambda sums: 2.0)

    with pytest.raises(ProofError, match=r"twice: the evaluator gave 2\.0"):
        twice.value([{"n": 1}])
