"""The interval of a step's reward is that of its questions, not of answers that resemble."""

import json
from collections.abc import Callable, Iterable

import numpy
import pytest
from scipy import stats

from foundry.train.losses import worth


def answers(*worths: Iterable[float | None]) -> list[list[dict[str, object]]]:
    return [[{"worth": value} for value in values] for values in worths]


def test_interval_is_student_s_over_the_means_of_questions():
    found = worth.interval(answers([1, 1, 0, 0], [1, 1, 1, 1], [0, 0, 0, 1]))

    low, high = stats.t.interval(
        0.95, 2, loc=numpy.mean([0.5, 1, 0.25]), scale=stats.sem([0.5, 1, 0.25])
    )
    assert found == {"reward_low": pytest.approx(low), "reward_high": pytest.approx(high)}


def held(grouped: Callable[[numpy.ndarray], numpy.ndarray], times: int = 400) -> float:
    """How often the interval holds the truth where answers are `grouped` by what is counted.

    Questions differ (standard deviation 0.3), answers to one hardly do (0.05).
    """
    draw, found = numpy.random.default_rng(0), 0
    for _ in range(times):
        means = 0.5 + 0.3 * draw.standard_normal(8)
        drawn = means[:, None] + 0.05 * draw.standard_normal((8, 8))
        made = worth.interval(answers(*grouped(drawn)))
        found += made["reward_low"] <= 0.5 <= made["reward_high"]
    return found / times


def test_interval_holds_the_truth_as_often_as_it_says():
    # Three standard errors of a share of 0.95 in 400 are 0.033.
    assert held(lambda drawn: drawn) == pytest.approx(0.95, abs=0.033)


def test_interval_of_answers_would_not():
    assert held(lambda drawn: drawn.reshape(-1, 1)) < 0.7


def test_one_question_has_no_interval_and_an_unjudged_one_does_not_count():
    assert worth.interval(answers([1, 0])) == {}
    with_it = answers([1, 0], [None, None], [1, 1])
    assert worth.interval(with_it) == worth.interval(answers([1, 0], [1, 1]))


def test_groups_are_alike_where_their_own_rewards_are():
    groups = answers([1.0, 1.0], [0.1 + 0.2, 0.3], [None, None], [0.0, 1.0], [0.0, None])
    for group in groups:
        for answer in group:
            answer["said_ids"] = [7]

    found = worth.told(groups, {"reward": [0.5], "reward_std": [0.4]}, {}, [7])

    assert found["groups_alike"] == 4 / 5
    assert (found["answers"], found["stopped"]) == (10, 10)


def test_reward_that_judges_no_answer_of_a_step_has_no_number():
    """A row without required facts beside a reward of length: TRL's mean of nothing is NaN."""
    groups = answers([1.0, 0.0])
    for answer in groups[0]:
        answer["said_ids"] = [7]
    metrics = {
        **{"reward": [0.5], "reward_std": [0.4]},
        **{"facts/mean": [float("nan")], "length/mean": [0.5]},
    }

    found = worth.told(groups, metrics, {"facts": "facts/mean", "length": "length/mean"}, [7])

    assert "reward_facts" not in found and found["reward_length"] == 0.5
    assert json.dumps(found, allow_nan=False)
