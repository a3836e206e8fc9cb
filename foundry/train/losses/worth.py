"""What the answers that a step drew were worth, as a line of `metrics.jsonl` tells it."""

import math
from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

CONFIDENCE = 0.95
# Rewards that are this close are one; TRL 1.16 compares deviations with 0 by `torch.isclose`.
SAME = 1e-8


def told(
    groups: Sequence[Sequence[Mapping[str, Any]]],
    metrics: Mapping[str, list[float]],
    names: Mapping[str, str],
    stop_ids: Sequence[int],
) -> dict[str, float]:
    """What a line says of a step's answers.

    `reward` is the mean of the weighted sums and `reward_std` their standard deviation (n - 1) over
    all answers of the step; `reward_low` and `reward_high` are the mean's interval, see `interval`;
    `reward_<kind>` the mean of one reward before it is weighed, left out where it judges no answer
    of the step, as facts do of a row without any; `groups_alike` the share of
    questions whose answers all had one reward, so that nothing was learned from them; `answers`
    and `answer_tokens` count what was drawn, `stopped` those that the model ended itself.

    Args:
        groups: `said_ids` and `worth` of each answer, by question.
        metrics: What TRL noted of the step, last in each list.
        names: The names of the recipe's rewards there.
        stop_ids: What ends an answer.
    """
    answers = [answer for group in groups for answer in group]
    each = {kind: metrics[name][-1] for kind, name in names.items()}
    stopped = sum(answer["said_ids"][-1] in stop_ids for answer in answers)
    return {
        "reward": metrics["reward"][-1],
        "reward_std": metrics["reward_std"][-1],
        **interval(groups),
        **{f"reward_{kind}": said for kind, said in each.items() if not math.isnan(said)},
        "groups_alike": fmean(map(_is_alike, groups)),
        "answers": len(answers),
        "answer_tokens": sum(len(answer["said_ids"]) for answer in answers),
        "stopped": stopped,
    }


def _is_alike(group: Sequence[Mapping[str, Any]]) -> bool:
    """Whether all answers got the same; TRL 1.16 asks it of the whole step for `batch`."""
    worths = _judged(group)
    return not worths or max(worths) - min(worths) <= SAME


def _judged(group: Sequence[Mapping[str, Any]]) -> list[float]:
    return [one["worth"] for one in group if one["worth"] is not None]


def interval(groups: Sequence[Sequence[Mapping[str, Any]]]) -> dict[str, float]:
    """The 95 % interval of a step's mean reward, by Student's t over its questions.

    Answers to one question resemble each other, so that questions are counted and not answers: 64
    answers to 8 questions are 8 observations. Nothing where there are fewer than two.
    """
    by_question = [fmean(worths) for worths in map(_judged, groups) if worths]
    if len(by_question) < 2:
        return {}
    from scipy.stats import t

    error = stdev(by_question) / len(by_question) ** 0.5
    reach = float(t.ppf((1 + CONFIDENCE) / 2, len(by_question) - 1)) * error
    mean = fmean(by_question)
    return {"reward_low": mean - reach, "reward_high": mean + reach}
