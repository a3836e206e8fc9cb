"""Intervals cover, tests do not cry wolf, and data without spread gives no false certainty."""

import math
from dataclasses import replace

import numpy as np
import pytest

from foundry.evals.statistics import Difference, interval, paired_difference, verdict

LEVEL, SIMULATIONS = 0.95, 150


def clustered(rng: np.random.Generator, *, groups: int, mean: float) -> tuple[list, list]:
    """0/1 scores in groups of 1 to 5 that agree within a group (intra-group correlation 0.25)."""
    rates = rng.beta(3 * mean, 3 * (1 - mean), groups)
    sizes = rng.integers(1, 6, groups)
    names = np.repeat(np.arange(groups), sizes)
    scores = (rng.random(len(names)) < rates[names]).astype(float)
    return scores.tolist(), [str(name) for name in names]


def slack(share: float, runs: int) -> float:
    """Three standard errors of a share counted over `runs` simulations."""
    return 3 * math.sqrt(share * (1 - share) / runs)


@pytest.mark.parametrize(("groups", "mean"), [(14, 0.8), (40, 0.5)])
def test_interval_covers_the_true_mean(groups, mean):
    rng = np.random.default_rng(11)

    hits = 0
    for _run in range(SIMULATIONS):
        found = interval(*clustered(rng, groups=groups, mean=mean))
        hits += found.low <= mean <= found.high

    assert abs(hits / SIMULATIONS - LEVEL) <= slack(LEVEL, SIMULATIONS)


def test_equal_models_are_seldom_called_different():
    rng = np.random.default_rng(12)

    false = 0
    for run in range(SIMULATIONS):
        rates = np.repeat(rng.beta(2, 2, 10), 3)
        a, b = ((rng.random(30) < rates).astype(float).tolist() for _ in range(2))
        groups = [str(n // 3) for n in range(30)]
        found = paired_difference(a, b, groups, seed=run)
        false += verdict(found) in ("BETTER", "WORSE")

    assert false / SIMULATIONS <= 0.05 + slack(0.05, SIMULATIONS)


def test_a_clear_difference_is_called_one():
    a, b = [1.0] * 36 + [0.0] * 4, [1.0] * 10 + [0.0] * 30
    groups = [str(n) for n in range(40)]

    assert verdict(paired_difference(a, b, groups, seed=0)) == "BETTER"
    assert verdict(paired_difference(b, a, groups, seed=0)) == "WORSE"


def test_groups_not_questions_carry_the_evidence():
    a, b = [1.0] * 100, [0.0] * 100  # a hundred questions about four products

    few = paired_difference(a, b, [str(n % 4) for n in range(100)], seed=0)

    assert verdict(few) == "NOT ENOUGH DATA"
    assert few.p_value == pytest.approx(2 / 2**4)  # exact: 4 signs


def test_six_groups_are_the_fewest_that_can_show_anything():
    a, b = [1.0] * 6, [0.0] * 6

    found = paired_difference(a, b, list("abcdef"), seed=0)

    assert found.p_value == pytest.approx(2 / 2**6)
    assert verdict(found) == "BETTER"


def test_better_needs_interval_and_test_to_agree():
    only_interval = Difference(0.1, 0.01, 0.2, p_value=0.2, n=40, groups=40)
    only_test = Difference(0.1, -0.01, 0.2, p_value=0.01, n=40, groups=40)

    assert {verdict(only_interval), verdict(only_test)} == {"NO DIFFERENCE"}


def test_better_needs_the_corrected_p_value_where_many_are_judged():
    alone = Difference(0.1, 0.01, 0.2, p_value=0.03, n=40, groups=40)

    assert verdict(alone) == "BETTER"
    assert verdict(replace(alone, p_adjusted=0.06, comparisons=2)) == "NO DIFFERENCE"


def test_where_nothing_could_show_there_is_not_enough_data():
    found = Difference(0.1, -0.7, 0.9, p_value=0.9, n=40, groups=7)

    assert verdict(found) == "NOT ENOUGH DATA"
    assert verdict(replace(found, low=-0.1, high=0.3)) == "NO DIFFERENCE"


# Newcombe (1998), Statistics in Medicine 17, p. 861, with z where we have Student's t
@pytest.mark.parametrize(
    ("right", "n", "low", "high"), [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605)]
)
def test_interval_of_a_share_is_wilsons(right, n, low, high):
    found = interval([1.0] * right + [0.0] * (n - right), [str(k) for k in range(n)])

    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-3)


def test_interval_of_a_difference_is_bonett_and_prices():
    a, b = [1.0] * 10 + [0.0] * 90, [0.0] * 10 + [1.0] * 4 + [0.0] * 86

    found = paired_difference(a, b, [str(k) for k in range(100)], seed=0)

    reach = 1.98422 * ((16 / 102 - (6 / 102) ** 2) / 102) ** 0.5
    assert (found.low, found.high) == pytest.approx((6 / 102 - reach, 6 / 102 + reach), abs=1e-5)
    assert (found.discordant, found.effective_n) == pytest.approx((0.14, 100))


def test_asking_everything_twice_proves_nothing_more():
    scores = [1.0] * 30 + [0.0] * 10

    once = interval(scores, [str(k) for k in range(40)])
    twice = interval(scores * 2, [str(k) for k in range(40)] * 2)

    assert (twice.low, twice.high) == pytest.approx((once.low, once.high), abs=0.005)


def graded(rng: np.random.Generator, *, groups: int, mean: float) -> tuple[list, list]:
    """Scores between 0 and 1, most of them high, in groups of 1 to 6 that are much alike."""
    rates = rng.beta(mean, 1 - mean, groups)
    sizes = rng.integers(1, 7, groups)
    rates, names = np.repeat(rates, sizes), np.repeat(np.arange(groups), sizes)
    scores = rng.beta(np.maximum(4 * rates, 1e-3), np.maximum(4 * (1 - rates), 1e-3))
    return scores.tolist(), [str(name) for name in names]


@pytest.mark.parametrize("groups", [6, 12, 30])
def test_interval_of_skewed_scores_covers_where_groups_are_few(groups):
    rng = np.random.default_rng(13)

    hits = 0
    for _run in range(SIMULATIONS):
        found = interval(*graded(rng, groups=groups, mean=0.85))
        hits += found.low <= 0.85 <= found.high

    assert hits / SIMULATIONS >= LEVEL - slack(LEVEL, SIMULATIONS)


@pytest.mark.parametrize("groups", [6, 12, 30])
def test_interval_of_a_difference_of_skewed_scores_covers_where_groups_are_few(groups):
    rng = np.random.default_rng(14)

    hits = 0
    for run in range(SIMULATIONS):
        rates = np.stack([rng.beta(mean, 1 - mean, groups) for mean in (0.97, 0.85)])
        a, b = rng.beta(np.maximum(4 * rates, 1e-3), np.maximum(4 * (1 - rates), 1e-3)).tolist()
        found = paired_difference(a, b, [str(n) for n in range(groups)], seed=run)
        hits += found.low <= 0.12 <= found.high

    assert hits / SIMULATIONS >= LEVEL - slack(LEVEL, SIMULATIONS)


def test_scores_that_are_nearly_right_or_wrong_have_nearly_the_interval_of_those():
    scores, groups = [1.0] * 30 + [0.0] * 10, [str(n) for n in range(40)]
    nearly = [*scores[:-1], 1e-9]

    whole, graded_ = interval(scores, groups), interval(nearly, groups)

    assert (graded_.low, graded_.high) == pytest.approx((whole.low, whole.high), abs=0.005)


def test_groups_of_equal_scores_tell_what_single_scores_tell():
    scores = [0.5, 0.9, 0.2, 0.7, 0.4, 1.0, 0.0, 0.6]

    once = interval(scores, list("abcdefgh"))
    twice = interval(scores * 2, list("abcdefgh") * 2)

    assert (twice.low, twice.high) == pytest.approx((once.low, once.high))


def test_scores_between_right_and_wrong_have_no_discordance():
    scores = [0.5, 0.9, 0.2, 0.7, 0.4, 1.0, 0.0, 0.6]

    found = paired_difference(scores, [0.5] * 8, list("abcdefgh"), seed=0)

    assert found.discordant is None
    assert found.low < found.mean < found.high


def test_all_right_is_not_certain_to_stay_so():
    found = interval([1.0] * 40, [str(n) for n in range(40)])

    assert (found.mean, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(40 / (40 + 2.0227**2), abs=1e-4)  # Wilson, t of 39


@pytest.mark.parametrize("value", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("groups", [1, 2, 30])
def test_data_without_spread_give_finite_numbers(value, groups):
    names = [str(n % groups) for n in range(30)]

    found = interval([value] * 30, names)
    same = paired_difference([value] * 30, [value] * 30, names, seed=0)

    assert 0 <= found.low <= value <= found.high + 1e-12
    assert (same.mean, same.p_value) == (0.0, 1.0)
    assert same.low <= 0 <= same.high


@pytest.mark.parametrize("scores", [[1.0] * 11 + [0.0], [0.0] * 11 + [1.0], [0.0, 1.0]])
def test_nearly_all_the_same_gives_finite_numbers(scores):
    found = interval(scores, [str(n) for n in range(len(scores))])

    assert 0 <= found.low <= found.mean <= found.high <= 1


def test_nothing_measured_is_none_not_nan():
    found = interval([], [])

    assert (found.mean, found.low, found.high, found.n, found.groups) == (None, None, None, 0, 0)


def test_the_same_seed_gives_the_same_numbers():
    rng = np.random.default_rng(1)
    a, groups = graded(rng, groups=20, mean=0.6)
    data = a, rng.random(len(a)).tolist(), groups  # too many turnings to go through all

    assert paired_difference(*data, seed=5) == paired_difference(*data, seed=5)
    assert paired_difference(*data, seed=5) != paired_difference(*data, seed=6)


def test_paired_scores_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="paired scores of 2, 1 and 2 items"):
        paired_difference([1.0, 0.0], [1.0], ["a", "b"], seed=0)
