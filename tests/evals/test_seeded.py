"""With several seeds neither the luck of the questions nor that of the seeds is a difference."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from foundry.evals import seeded, statistics
from foundry.evals.aggregates import Mean, Pooled
from foundry.evals.seeded import averaged, difference, interval, numbers

GROUPS = [f"g{n // 2}" for n in range(60)]
TRIALS = 60
AT_MOST = 0.05 + 3 * math.sqrt(0.05 * 0.95 / TRIALS)  # three standard errors

MEAN = Mean("right", lambda item, answer: None)


def rows(draw: np.random.Generator, shift: float = 0.0, luck: float = 0.15) -> list[list[float]]:
    """Three trainings of one recipe: each seed shifts the share of right answers by its luck."""
    shares = 0.6 + shift + draw.normal(0, luck, size=3)
    return [(draw.random(60) < share).astype(float).tolist() for share in shares]


def false_positives(judge) -> float:
    """How often two equal recipes are called different."""
    draw = np.random.default_rng(0)
    verdicts = [statistics.verdict(judge(rows(draw), rows(draw))) for _ in range(TRIALS)]
    return sum(found in ("BETTER", "WORSE") for found in verdicts) / TRIALS


def test_equal_recipes_are_called_different_as_rarely_as_promised():
    found = false_positives(lambda a, b: difference(MEAN, a, b, GROUPS, seed=0))

    assert found <= AT_MOST


def test_looking_at_the_questions_alone_would_call_luck_a_difference():
    def naive(a, b):
        means = averaged(a), averaged(b)
        return statistics.paired_difference(*means, GROUPS, seed=0)

    assert false_positives(naive) > AT_MOST


def test_difference_larger_than_the_luck_of_seeds_is_found():
    draw = np.random.default_rng(1)
    found = difference(
        MEAN, rows(draw, shift=0.3, luck=0.02), rows(draw, luck=0.02), GROUPS, seed=0
    )

    assert statistics.verdict(found) == "BETTER"


def test_interval_holds_for_other_questions_and_other_seeds():
    draw = np.random.default_rng(2)
    found = [interval(MEAN, rows(draw), GROUPS, seed=0) for _ in range(TRIALS)]

    held = sum(one.low <= 0.6 <= one.high for one in found) / TRIALS
    assert held >= 1 - AT_MOST


def test_one_seed_is_judged_as_before():
    draw = np.random.default_rng(3)
    a, b = rows(draw)[:1], rows(draw)[:1]

    assert difference(MEAN, a, b, GROUPS, seed=0) == statistics.paired_difference(
        a[0], b[0], GROUPS, seed=0
    )
    assert interval(MEAN, a, GROUPS, seed=0) == statistics.interval(a[0], GROUPS)


def test_equal_seeds_of_equal_recipes_do_not_differ_at_all():
    a = rows(np.random.default_rng(4))

    found = difference(MEAN, a, a, GROUPS, seed=0)

    assert (found.mean, found.p_value) == (0.0, 1.0)
    assert statistics.verdict(found) == "NO DIFFERENCE"


def test_reach_is_that_of_a_calculation_by_hand():
    # Items: half an interval of 0.25 * t(0.975, 1) is an error of 0.25, so 0.0625 with one degree
    # of freedom. Seeds: 0.5 and 1.0, a variance of 0.125 / 2 = 0.0625 with one degree as well.
    half = 0.25 * 12.706205

    found = seeded._reach(0.75, (0.75 - half, 0.75 + half, 2), [[0.5, 1.0]])

    # Together 0.125 with 0.125**2 / (2 * 0.0625**2) = 2 degrees; t(0.975, 2) = 4.302653.
    assert found.half == pytest.approx(4.302653 * math.sqrt(0.125), rel=1e-6)
    assert found.degrees == pytest.approx(2)
    assert found.p_value == pytest.approx(0.1679, abs=1e-3)


def test_pooled_number_is_that_of_the_counts_averaged_over_the_seeds():
    precision = Pooled("precision", lambda i, a: None, lambda sums: sums["hit"] / sums["said"])
    a = [[{"hit": 1.0, "said": 1.0}, {"said": 1.0}], [{"hit": 1.0, "said": 1.0}, {"said": 1.0}]]
    b = [[{"hit": 0.0, "said": 1.0}, {"said": 1.0}], [{"hit": 1.0, "said": 1.0}, {"said": 1.0}]]

    found = difference(precision, a, b, ["x", "y"], seed=0)

    assert numbers(precision, b) == [0.0, 0.5]
    assert averaged(b)[0] == {"hit": 0.5, "said": 1.0}
    assert found.mean == pytest.approx(0.25)
    assert interval(precision, b, ["x", "y"], seed=0).mean == pytest.approx(0.25)


def test_least_difference_that_shows_is_that_of_the_few_degrees_that_few_seeds_leave():
    # Every seed shifts all items alike: most of the error is that of three seeds each.
    a, b = ([[share] * 60 for share in shares] for shares in ((0.4, 0.5, 0.6), (0.3, 0.4, 0.5)))
    found = replace(difference(MEAN, a, b, GROUPS, seed=0), comparisons=20)

    spread = (found.high - found.low) / 2 / stats.t.ppf(0.975, found.degrees)
    assert math.sqrt(2 * 0.01 / 3) < spread < 0.1  # the seeds' error and a little of the questions
    t = stats.t(found.degrees)
    needed = (t.ppf(1 - 0.05 / 20 / 2) + t.ppf(0.8)) * spread
    assert statistics.detectable(found) == pytest.approx(needed)
    assert found.degrees < 12  # the groups would say 29
