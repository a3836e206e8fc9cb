"""The twenty answers that show most: what went wrong, what was declined, what was won.

Numbers hide what a shop would be embarrassed by, so failures come first, and if there is any
wrong answer at all, at least one is shown.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from foundry.evals.answers import Column, Item
from foundry.evals.comparison import Comparison
from foundry.evals.metrics import DECLINES, WRONGLY_DECLINED
from foundry.evals.questions import answer_of, question_of

MOST = 20
HALF = 0.5
"""From here on an answer is right in a metric between right and wrong, such as character F1, where
hardly an answer has 1."""
KINDS = (
    *("regression", "wrongly-declined", "wrong", "changed-by-export", "declined", "gain", "same"),
)
"""How an item can have gone, in the order shown; each kind gives one in turn until `MOST`."""


@dataclass(frozen=True)
class Case:
    """How one item went, by the metric that counts in its part; more is better."""

    index: int
    item: Item
    metric: str
    tuned: float
    base: float | None
    delivered: float | None
    wrongly_declined: bool
    right_from: float = 1.0

    @property
    def gain(self) -> float:
        """Tuned less base; 0 without a base."""
        return 0.0 if self.base is None else self.tuned - self.base

    @property
    def kind(self) -> str:
        """The first of `KINDS` that the case is of."""
        if self.gain < 0:
            return "regression"
        if self.wrongly_declined:
            return "wrongly-declined"
        if self.tuned < self.right_from:
            return "wrong"
        if self.delivered is not None and self.delivered < self.tuned:
            return "changed-by-export"
        if self.metric == DECLINES:
            return "declined"
        return "gain" if self.gain > 0 else "same"


def telling_answers(columns: Sequence[Column], comparison: Comparison) -> list[dict[str, Any]]:
    """At most `MOST` items with question, context, reference and what each column said."""
    cases = list(_cases(comparison))
    queues = [iter(_spread(_of_kind(kind, cases))) for kind in KINDS]
    chosen: list[Case] = []
    while len(chosen) < min(MOST, len(cases)):
        for queue in queues:
            case = next(queue, None)
            if case is not None and len(chosen) < MOST:
                chosen.append(case)
    chosen.sort(key=lambda case: KINDS.index(case.kind))
    return [entry(case.kind, case, columns, comparison) for case in chosen]


def outcomes(comparison: Comparison) -> list[dict[str, Any]]:
    """How many items of each part went which way; each item counts once.

    A part's entry is `{part, metric, n, kinds}`, `kinds` having a count for each of `KINDS`.
    """
    cases = list(_cases(comparison))
    entries = []
    for part in comparison.scores.parts:
        own = [case for case in cases if case.item.part == part]
        kinds = {kind: sum(kind == case.kind for case in own) for kind in KINDS}
        if own:
            entries.append({"part": part, "metric": own[0].metric, "n": len(own), "kinds": kinds})
    return entries


def main_metric(comparison: Comparison, part: str) -> str | None:
    """The metric that counts in a part: declining where that is wanted, else the recipe's first."""
    there = [
        name
        for name, metric in comparison.scores.metrics.items()
        if metric.companion_of is None and part in comparison.scores.parts_of(name)
    ]
    return DECLINES if DECLINES in there else next(iter(there), None)


def _cases(comparison: Comparison) -> Iterator[Case]:
    scores, roles = comparison.scores, comparison.roles
    metrics = {part: main_metric(comparison, part) for part in scores.parts}
    before = {
        part: None if metric is None else comparison.best_base(metric, part)
        for part, metric in metrics.items()
    }
    for index, item in enumerate(scores.items):
        metric = metrics[item.part]
        if metric is None or item.brought_by is not None:  # the owner's own questions only
            continue
        tuned = _value(comparison, metric, roles.tuned, index)
        if tuned is None:
            continue
        base = before[item.part]  # one column, which the headline names too
        delivered = [_value(comparison, metric, name, index) for name in roles.delivered]
        yield Case(
            index,
            item,
            metric,
            tuned,
            base=None if base is None else _value(comparison, metric, base, index),
            delivered=min((value for value in delivered if value is not None), default=None),
            wrongly_declined=_value(comparison, WRONGLY_DECLINED, roles.tuned, index) == 1.0,
            right_from=HALF if scores.metrics[metric].graded else 1.0,
        )


def _value(comparison: Comparison, metric: str, column: str, index: int) -> float | None:
    row = comparison.scores.values.get((metric, column))
    return None if row is None else row[index]


def _of_kind(kind: str, cases: Sequence[Case]) -> list[Case]:
    own = [case for case in cases if case.kind == kind]
    return sorted(own, key=lambda case: (*_interest(kind, case), case.index))


def _interest(kind: str, case: Case) -> tuple[float, ...]:
    """Smallest first: the worst of what went wrong, the largest of what was won."""
    return (-case.gain,) if kind == "gain" else (case.gain, case.tuned)


def _spread(cases: Sequence[Case]) -> list[Case]:
    """Parts in turn, and within a part each group once before any comes again."""
    seen: dict[tuple[str, str], int] = {}
    rounds: list[tuple[int, Case]] = []
    for case in cases:
        key = (case.item.part, case.item.example.group)
        seen[key] = seen.get(key, -1) + 1
        rounds.append((seen[key], case))
    ordered = [case for _round, case in sorted(rounds, key=lambda pair: pair[0])]
    turns: dict[str, int] = {}
    placed: list[tuple[int, Case]] = []
    for case in ordered:
        turns[case.item.part] = turns.get(case.item.part, -1) + 1
        placed.append((turns[case.item.part], case))
    return [case for _turn, case in sorted(placed, key=lambda pair: pair[0])]


def entry(
    kind: str, case: Case, columns: Sequence[Column], comparison: Comparison
) -> dict[str, Any]:
    """An item as the report shows it: question, context, reference and what each column said."""
    example = case.item.example
    question = question_of(example)
    return {
        "kind": kind,
        "item_id": example.id,
        "part": case.item.part,
        "metric": case.metric,
        "question": question.text,
        "context": question.context,
        "reference": answer_of(example),
        "answers": [_said(column, case, comparison) for column in columns],
    }


def _said(column: Column, case: Case, comparison: Comparison) -> Mapping[str, Any]:
    answer = column.answers[case.item.example.id]
    return {
        "column": column.name,
        "text": answer.text,
        "stopped": answer.stopped,
        "tokens": answer.tokens,
        "score": _value(comparison, case.metric, column.name, case.index),
    }
