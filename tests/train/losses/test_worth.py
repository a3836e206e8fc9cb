"""The interval of a step's reward is that of its questions, not of answers that resemble."""

from collections.abc import Callable

import numpy
import pytest
from scipy import stats

from foundry.train.losses import worth


def answers(worths: dict[str, list[float | None]]) -> list[dict[str, object]]:
    return [{"id": name, "worth": value} for name, values in worths.items() for value in values]


def test_interval_is_student_s_over_the_means_of_questions():
    found = worth.interval(answers({"a": [1, 1, 0, 0], "b": [1, 1, 1, 1], "c": [0, 0, 0, 1]}))

    low, high = stats.t.interval(
        0.95, 2, loc=numpy.mean([0.5, 1, 0.25]), scale=stats.sem([0.5, 1, 0.25])
    )
    assert found == {"reward_low": pytest.approx(low), "reward_high": pytest.approx(high)}


def held(name_of: Callable[[int, int], str], times: int = 400) -> float:
    """How often the interval holds the truth; an answer's question is called `name_of` it.

    Questions differ (standard deviation 0.3), answers to one hardly do (0.05).
    """
    draw, found = numpy.random.default_rng(0), 0
    for _ in range(times):
        means = 0.5 + 0.3 * draw.standard_normal(8)
        drawn = means[:, None] + 0.05 * draw.standard_normal((8, 8))
        made = worth.interval(
            [
                {"id": name_of(number, answer), "worth": value}
                for number, row in enumerate(drawn)
                for answer, value in enumerate(row)
            ]
        )
        found += made["reward_low"] <= 0.5 <= made["reward_high"]
    return found / times


def test_interval_holds_the_truth_as_often_as_it_says():
    # Three standard errors of a share of 0.95 in 400 are 0.033.
    assert held(lambda question, _answer: str(question)) == pytest.approx(0.95, abs=0.033)


def test_interval_of_answers_would_not():
    assert held(lambda question, answer: f"{question}.{answer}") < 0.7


def test_one_question_has_no_interval_and_an_unjudged_one_does_not_count():
    assert worth.interval(answers({"a": [1, 0]})) == {}
    with_it = answers({"a": [1, 0], "b": [None, None], "c": [1, 1]})
    assert worth.interval(with_it) == worth.interval(answers({"a": [1, 0], "c": [1, 1]}))
