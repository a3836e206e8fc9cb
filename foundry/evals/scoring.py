"""Every answer scored once: metric by column by item, and the numbers read from that table."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from foundry.core.errors import DataError, Problem
from foundry.core.language import gettext as _
from foundry.evals.aggregates import Mean
from foundry.evals.answers import Column, Item
from foundry.evals.metrics import Metric
from foundry.evals.statistics import Difference, Interval

Key = tuple[str, str]
Row = tuple[float | None, ...]


@dataclass(frozen=True)
class Scores:
    """`observed[metric, column][i]` is what the metric's aggregate observed of item i's answer.

    That is its score where the metric is a mean, what it counts where the number is pooled, and
    None where the metric does not apply.
    """

    items: Sequence[Item]
    metrics: Mapping[str, Metric]
    observed: Mapping[Key, tuple[Any, ...]]
    seed: int

    @cached_property
    def values(self) -> Mapping[Key, Row]:
        """The scores of the items by the metrics that are means."""
        return {
            (metric, column): row
            for (metric, column), row in self.observed.items()
            if isinstance(self.metrics[metric].aggregate, Mean)
        }

    @cached_property
    def parts(self) -> tuple[str, ...]:
        """The parts in the order in which the items name them."""
        return tuple(dict.fromkeys(item.part for item in self.items))

    def parts_of(self, metric: str) -> list[str]:
        """The parts in which some item has the metric."""
        measured = {
            item.part
            for (name, _column), row in self.observed.items()
            if name == metric
            for item, value in zip(self.items, row, strict=True)
            if value is not None
        }
        return [part for part in self.parts if part in measured]

    def has(self, metric: str, column: str) -> bool:
        """Whether the column was measured by the metric at all."""
        return (metric, column) in self.observed

    def measured(self, metric: str, part: str | None, column: str) -> list[tuple[Any, str]]:
        """What was observed of each item the metric applies to, and its group.

        `part` None means every part. What is observed is the score where the metric is a mean.
        """
        row = self.observed.get((metric, column), ())
        return [
            (value, item.example.group)
            for item, value in zip(self.items, row, strict=bool(row))
            if value is not None and part in (None, item.part)
        ]

    def mean(self, metric: str, part: str | None, column: str) -> float | None:
        """The metric's number, mean or pooled; None where the column was not measured."""
        observed = [value for value, _group in self.measured(metric, part, column)]
        return self.metrics[metric].aggregate.value(observed) if observed else None

    def interval(self, metric: str, part: str | None, column: str) -> Interval:
        """The number of one column and its interval; a pooled number stands under `mean` too."""
        pairs = self.measured(metric, part, column)
        if not pairs:
            return Interval(None, None, None, 0, 0)
        observed, groups = zip(*pairs, strict=True)
        return self.metrics[metric].aggregate.interval(observed, groups, seed=self.seed)

    def difference(self, metric: str, part: str | None, a: str, b: str) -> Difference | None:
        """How much better `a` is than `b` (whichever way is better); None where neither has it."""
        rows = zip(
            self.items,
            self.observed.get((metric, a), ()),
            self.observed.get((metric, b), ()),
            strict=False,  # a column the metric does not apply to has no row at all
        )
        paired = [
            (x, y, item.example.group)
            for item, x, y in rows
            if x is not None and y is not None and part in (None, item.part)
        ]
        if not paired:
            return None
        ours, theirs, groups = zip(*paired, strict=True)
        measured = self.metrics[metric]
        larger, smaller = (theirs, ours) if measured.lower_is_better else (ours, theirs)
        return measured.aggregate.difference(larger, smaller, groups, seed=self.seed)

    def without(self, item_ids: Collection[str]) -> "Scores":
        """The same scores with some items left out."""
        kept = [place for place, i in enumerate(self.items) if i.example.id not in item_ids]
        observed = {key: tuple(row[place] for place in kept) for key, row in self.observed.items()}
        return replace(self, items=[self.items[place] for place in kept], observed=observed)

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
    observed = {
        (metric.name, column.name): _observed(metric, items, column)
        for metric in metrics
        for column in columns
        if not (metric.of_models and column.name in naive) and _is_asked(metric, items, column)
    }
    return Scores(items, {metric.name: metric for metric in metrics}, observed, seed)


def _is_asked(metric: Metric, items: Sequence[Item], column: Column) -> bool:
    """False for the metric of questions that an evaluator brought and this column was not asked."""
    kind = metric.companion_of or metric.name
    brought = [item for item in items if item.brought_by == kind]
    return not brought or any(item.example.id in column.answers for item in brought)


def _observed(metric: Metric, items: Sequence[Item], column: Column) -> tuple[Any, ...]:
    answers = (column.answers.get(item.example.id) for item in items)
    return tuple(
        None if answer is None else metric.aggregate.observe(item, answer)
        for item, answer in zip(items, answers, strict=True)
    )


def _check_complete(items: Sequence[Item], columns: Sequence[Column]) -> None:
    """A column may lack every answer to what an evaluator brought, but not some of them."""
    what = _("{missing} of {total} items have no answer (the first is {item})")
    fix = _("run the evaluation again; it goes on where it stopped")
    problems = []
    for column in columns:
        asked = {None, *(i.brought_by for i in items if i.example.id in column.answers)}
        due = [i.example.id for i in items if i.brought_by in asked]
        missing = [key for key in due if key not in column.answers]
        if missing:
            text = what.format(missing=len(missing), total=len(items), item=missing[0])
            problems.append(Problem(column.name, text, fix))
    if problems:
        raise DataError(problems)
