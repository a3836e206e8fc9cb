"""The tables of a report: what evaluators show beside their numbers, such as confusions."""

from collections.abc import Iterator, Sequence
from typing import Any

from foundry.evals.answers import Answer, Column, Item
from foundry.evals.scoring import Scores


def tables_of(scores: Scores, columns: Sequence[Column]) -> Iterator[dict[str, Any]]:
    """Each table of each evaluator, part and column: `{metric, part, column, name, ...}`."""
    for metric in scores.metrics.values():
        for part in scores.parts_of(metric.name) if metric.tables else ():
            for column in columns:
                items, answers = _answered(scores, metric.name, part, column)
                for table in metric.tables(items, answers) if items and metric.tables else ():
                    place = {"metric": metric.name, "part": part, "column": column.name}
                    yield place | table.as_dict()


def _answered(
    scores: Scores, metric: str, part: str, column: Column
) -> tuple[list[Item], list[Answer]]:
    """The items of a part that the metric applies to, and what the column said to them."""
    row = scores.observed.get((metric, column.name), ())
    items = [
        item
        for item, value in zip(scores.items, row, strict=bool(row))
        if value is not None and item.part == part
    ]
    return items, [column.answers[item.example.id] for item in items]
