"""Which items one arm wins and another loses: the question, and what each arm said."""

from collections.abc import Sequence
from typing import Any

from foundry.evals.aggregates import Mean
from foundry.evals.arms import pairs
from foundry.evals.arms.arm import Arm
from foundry.evals.comparison import rounded
from foundry.evals.questions import answer_of, question_of
from foundry.evals.swaps import SAME


def told(arms: Sequence[Arm], fields: Sequence[pairs.Field], metric: str) -> list[dict[str, Any]]:
    """The items on which the arms' scores by a metric differ, the furthest apart first.

    Gives `{item, part, question, reference, said}`; `said` has an entry for each text and score,
    with the arms that have it. A score is the mean over the seeds, a text that of the least seed.
    None are told of a metric that gives an item no score.
    """
    own = [
        field
        for field in fields
        if field.metric.name == metric
        and field.part is not None
        and isinstance(field.metric.aggregate, Mean)
    ]
    found = []
    for field in own:
        columns = {arm.name: pairs.means(arm, field) for arm in arms}
        for place, key in enumerate(field.ids):
            scores = {name: values[place] for name, values in columns.items()}
            apart = max(scores.values()) - min(scores.values())
            if apart > SAME:
                found.append((-round(apart, 6), len(found), _told(arms, field, key, scores)))
    return [one for _apart, _place, one in sorted(found, key=lambda one: one[:2])]


def _told(
    arms: Sequence[Arm], field: pairs.Field, key: str, scores: dict[str, float]
) -> dict[str, Any]:
    items = arms[0].first.scores.items
    item = next(item for item in items if item.example.id == key)
    said: dict[tuple[str, float], dict[str, Any]] = {}
    for arm in arms:
        text, score = arm.first.column.answers[key].text, float(rounded(scores[arm.name]) or 0.0)
        entry = said.setdefault((text, score), {"arms": [], "score": score, "text": text})
        entry["arms"].append(arm.name)
    return {
        "item": key,
        "part": field.part,
        "question": question_of(item.example).text,
        "reference": answer_of(item.example),
        "said": sorted(said.values(), key=lambda one: -field.metric.sign * one["score"]),
    }
