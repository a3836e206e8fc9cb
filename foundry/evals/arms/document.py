"""Arms beside each other in one document: quality, memory, size, seconds, and in what they differ.

It holds no time of day and no path, so that it comes out the same byte for byte from the same runs.
"""

from collections.abc import Sequence
from typing import Any

from foundry.core.errors import Problem, RecipeError
from foundry.core.language import gettext as _
from foundry.evals.aggregates import Mean
from foundry.evals.arms import pairs
from foundry.evals.arms.arm import Arm
from foundry.evals.arms.entry import SEED
from foundry.evals.arms.fairness import TOLERANCE, Budget, Unequal, sentence
from foundry.evals.arms.front import AXES, front
from foundry.evals.arms.told import told
from foundry.evals.compare import method, to_plain
from foundry.evals.comparison import rounded
from foundry.store.run_diff import PARTS, differences

SCHEMA_VERSION = 1
COSTS = ("memory_bytes", "size_bytes", "seconds", "seconds_per_answer")
EFFORTS = ("steps", "tokens", "trainable_parameters")
# Of a run's parts those that were chosen; results differ in any case.
CHOSEN = ("recipe", "base", "data", "resolved", "environment")


def document(
    arms: Sequence[Arm], *, budget: Budget, unequal: Sequence[Unequal], metric: str | None = None
) -> dict[str, Any]:
    """Everything that `foundry compare` shows.

    Args:
        arms: At least two, checked to be comparable.
        budget: What they should have had equal.
        unequal: In what they were not treated alike.
        metric: The quality of the front; the recipe's first evaluator where None.

    Raises:
        RecipeError: There are not two arms, or nobody measured the metric.
    """
    if len(arms) < 2:
        fix = _("name runs that differ in more than the seed")
        raise RecipeError(Problem("compare", _("there is only one arm"), fix))
    fields = pairs.fields(arms)
    scores = [score for field in fields for score in pairs.scores(arms, field)]
    chosen = _quality([one["metric"] for one in scores], metric)
    made = {
        "schema_version": SCHEMA_VERSION,
        "column": arms[0].first.column.name,
        "budget": {"kind": budget, "tolerance": TOLERANCE[budget]},
        "unequal": [{**one.as_dict(), "sentence": sentence(one)} for one in unequal],
        "method": {**method(SEED), "seeds": "welch-satterthwaite", "pairs": "holm"},
        "metrics": _metrics(arms),
        "front": _front(arms, scores, chosen),
        "arms": [_arm(arm) for arm in arms],
        "scores": scores,
        "differences": [d for field in fields for d in pairs.differences(arms, field)],
        "differ": {part: _differ(arms, part) for part in CHOSEN},
        "runs": [run for arm in arms for run in _runs(arm, fields)],
        "items": _items(arms, fields),
        "told": told(arms, fields, chosen),
    }
    plain = to_plain(made)
    assert isinstance(plain, dict)
    return plain


def _metrics(arms: Sequence[Arm]) -> list[dict[str, Any]]:
    return [
        {
            "name": metric.name,
            "title": metric.title,
            "version": metric.version,
            "lower_is_better": metric.lower_is_better,
        }
        for metric in arms[0].first.scores.metrics.values()
    ]


def _quality(known: Sequence[str], metric: str | None) -> str:
    """The metric that is asked for, or the first that was measured."""
    if metric in known or (metric is None and known):
        return metric or known[0]
    what = _("nobody measured `{metric}`").format(metric=metric or "evals")
    fix = _("use one of {names}").format(names=", ".join(dict.fromkeys(known)))
    raise RecipeError(Problem("--metric", what, fix))


def _front(arms: Sequence[Arm], scores: Sequence[dict[str, Any]], metric: str) -> dict[str, Any]:
    """The front by the mean of one metric over all of its parts, and by what the arms cost."""
    sign = arms[0].first.scores.metrics[metric].sign
    means = {one["arm"]: one["mean"] for one in scores if one["metric"] == metric}  # all parts last
    points = {
        arm.name: {
            "quality": None if means.get(arm.name) is None else sign * means[arm.name],
            **{axis: arm.figure(axis) for axis in AXES if axis != "quality"},
        }
        for arm in arms
    }
    return {"metric": metric, "axes": list(AXES), "arms": front(points)}


def _arm(arm: Arm) -> dict[str, Any]:
    costs = {key: _spread(arm, key) for key in (*COSTS, *EFFORTS)}
    exports = arm.facts[0]["exports"]
    return {
        "name": arm.name,
        "seeds": arm.seeds,
        "runs": [entry.run.name for entry in arm.entries],
        **costs,
        "exports": exports,
    }


def _spread(arm: Arm, key: str) -> dict[str, Any] | None:
    """Mean, least and most over the seeds; None where a run does not tell it."""
    values = [one[key] for one in arm.facts]
    if None in values:
        return None
    mean = arm.figure(key)
    return {"mean": rounded(mean), "low": rounded(min(values)), "high": rounded(max(values))}


def _differ(arms: Sequence[Arm], part: str) -> dict[str, dict[str, Any]]:
    """The values in which an arm differs from the first, by key and arm.

    Runs are held against the first arm's in the order of the seeds; of a key that differs with
    several seeds the values of the first of them are given.
    """
    first, read = arms[0], PARTS[part]
    table: dict[str, dict[str, Any]] = {}
    for arm in arms[1:]:
        told = set[str]()
        for mine, own in zip(first.entries, arm.entries, strict=False):
            found = differences(read(mine.run), read(own.run))
            for key, (was, is_) in found.items():
                row = table.setdefault(key, dict.fromkeys((one.name for one in arms), was))
                if key not in told:
                    row[arm.name] = is_
            told |= found.keys()
    return table


def _runs(arm: Arm, fields: Sequence[pairs.Field]) -> list[dict[str, Any]]:
    """A line for each run: what it took, and its number by metric and part."""
    numbers = {_label(field): field.numbers(arm) for field in fields}
    return [
        {
            "arm": arm.name,
            "seed": entry.seed,
            "run": entry.run.name,
            "fingerprint": entry.run.plan.get("fingerprint"),
            **{key: told[key] for key in (*COSTS, *EFFORTS, "last_loss")},
            "scores": {label: rounded(each[place]) for label, each in numbers.items()},
        }
        for place, (entry, told) in enumerate(zip(arm.entries, arm.facts, strict=True))
    ]


def _label(field: pairs.Field) -> str:
    return field.metric.name if field.part is None else f"{field.metric.name}/{field.part}"


def _items(arms: Sequence[Arm], fields: Sequence[pairs.Field]) -> list[dict[str, Any]]:
    """A line for each item and metric that gives an item a score: by arm, over the seeds."""
    return [
        {"item": key, "part": field.part, "group": group, "metric": field.metric.name}
        | {"scores": scores}
        for field in fields
        if field.part is not None and isinstance(field.metric.aggregate, Mean)
        for key, group, scores in zip(field.ids, field.groups, _means(arms, field), strict=True)
    ]


def _means(arms: Sequence[Arm], field: pairs.Field) -> list[dict[str, float | None]]:
    """The score of each item by arm."""
    names = [arm.name for arm in arms]
    columns = [pairs.means(arm, field) for arm in arms]
    return [dict(zip(names, map(rounded, row), strict=True)) for row in zip(*columns, strict=True)]
