"""Every answer scored once: metric by column by item, and the numbers read from that table."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from foundry.core.errors import DataError, Problem, ProofError
from foundry.core.language import gettext as _
from foundry.evals import statistics
from foundry.evals.answers import Answer, Column, Item
from foundry.evals.metrics import Metric
from foundry.evals.statistics import Difference, Interval


@dataclass(frozen=True)
class Scores:
    """`values[metric, column][i]` is the score of item i, None where the metric does not apply."""

    items: Sequence[Item]
    metrics: Mapping[str, Metric]
    values: Mapping[tuple[str, str], tuple[float | None, ...]]
    seed: int

    @cached_property
    def parts(self) -> tuple[str, ...]:
        """The parts in the order in which the items name them."""
        return tuple(dict.fromkeys(item.part for item in self.items))

    def parts_of(self, metric: str) -> list[str]:
        """The parts in which some item has the metric."""
        measured = {
            item.part
            for (name, _column), row in self.values.items()
            if name == metric
            for item, value in zip(self.items, row, strict=True)
            if value is not None
        }
        return [part for part in self.parts if part in measured]

    def has(self, metric: str, column: str) -> bool:
        """Whether the column was measured by the metric at all."""
        return (metric, column) in self.values

    def measured(self, metric: str, part: str | None, column: str) -> list[tuple[float, str]]:
        """Score and group of each item the metric applies to; `part` None means every part."""
        row = self.values.get((metric, column), ())
        return [
            (value, item.example.group)
            for item, value in zip(self.items, row, strict=bool(row))
            if value is not None and part in (None, item.part)
        ]

    def mean(self, metric: str, part: str | None, column: str) -> float | None:
        """Mean score; None where the column was not measured."""
        scores = [score for score, _group in self.measured(metric, part, column)]
        return math.fsum(scores) / len(scores) if scores else None

    def interval(self, metric: str, part: str | None, column: str) -> Interval:
        """Mean and interval of one column."""
        pairs = self.measured(metric, part, column)
        groups = [group for _score, group in pairs]
        return statistics.interval([score for score, _group in pairs], groups, seed=self.seed)

    def difference(self, metric: str, part: str | None, a: str, b: str) -> Difference | None:
        """How much better `a` is than `b` (whichever way is better); None where neither has it."""
        rows = zip(
            self.items,
            self.values.get((metric, a), ()),
            self.values.get((metric, b), ()),
            strict=False,  # a column the metric does not apply to has no row at all
        )
        paired = [
            (x, y, item.example.group)
            for item, x, y in rows
            if x is not None and y is not None and part in (None, item.part)
        ]
        if not paired:
            return None
        sign = self.metrics[metric].sign
        return statistics.paired_difference(
            [sign * x for x, _y, _group in paired],
            [sign * y for _x, y, _group in paired],
            [group for _x, _y, group in paired],
            seed=self.seed,
        )

    def best(self, metric: str, part: str | None, columns: Iterable[str]) -> str | None:
        """The column with the best mean; of equals the first; None where none was measured."""
        means = {name: self.mean(metric, part, name) for name in columns}
        known = {name: mean for name, mean in means.items() if mean is not None}
        if not known:
            return None
        sign = self.metrics[metric].sign
        return max(known, key=lambda name: sign * known[name])


def score_all(
    items: Sequence[Item],
    columns: Sequence[Column],
    metrics: Sequence[Metric],
    *,
    naive: Sequence[str],
    seed: int,
) -> Scores:
    """Score every answer of every column.

    Args:
        items: What was asked, in the order of the report.
        columns: Each with an answer to every item.
        metrics: In the recipe's order.
        naive: Names of the columns that are no models.
        seed: For the bootstrap and the permutation test.

    Raises:
        DataError: A column lacks answers; says how many.
        ProofError: An evaluator gave something that is no number in 0..1.
    """
    _check_complete(items, columns)
    values = {
        (metric.name, column.name): tuple(
            _score(metric, item, column.answers[item.example.id]) for item in items
        )
        for metric in metrics
        for column in columns
        if not (metric.of_models and column.name in naive)
    }
    return Scores(items, {metric.name: metric for metric in metrics}, values, seed)


def _score(metric: Metric, item: Item, answer: Answer) -> float | None:
    value = metric.score(item, answer)
    if value is not None and not (math.isfinite(value) and 0 <= value <= 1):
        what = _("the evaluator gave {value} for the item {item}; a score lies in 0..1")
        raise ProofError(Problem(metric.name, what.format(value=value, item=item.example.id)))
    return value


def _check_complete(items: Sequence[Item], columns: Sequence[Column]) -> None:
    what = _("{missing} of {total} items have no answer (the first is {item})")
    fix = _("run the evaluation again; it goes on where it stopped")
    problems = []
    for column in columns:
        missing = [i.example.id for i in items if i.example.id not in column.answers]
        if missing:
            text = what.format(missing=len(missing), total=len(items), item=missing[0])
            problems.append(Problem(column.name, text, fix))
    if problems:
        raise DataError(problems)
