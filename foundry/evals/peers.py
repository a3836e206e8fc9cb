"""Models side by side of which none was trained here: what a report says where nothing is tuned.

The first model is the reference; every other one is compared with it.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from foundry.evals.answers import Column
from foundry.evals.comparison import Comparison
from foundry.evals.headlines import say_difference
from foundry.evals.statistics import Difference
from foundry.evals.telling import MOST, Case, entry, main_metric
from foundry.evals.wording import join, points, say

KINDS = ("apart", "wrong-for-all", "right-for-all")
SENTENCES = {"BETTER": "peer-higher", "WORSE": "peer-lower"}


def peer_headlines(comparison: Comparison) -> list[dict[str, str]]:
    """For each part the reference's score, then each other model's and what the difference says."""
    sentences = []
    reference = comparison.roles.reference
    for part in comparison.scores.parts:
        metric = main_metric(comparison, part)
        if metric is None:
            continue
        names = {"part": comparison.part_title(part), "metric": comparison.metric_title(metric)}
        for column in comparison.roles.peers:
            title = comparison.columns[column]
            own = comparison.scores.interval(metric, part, column)
            found, low, high = (points(x or 0.0) for x in (own.mean, own.low, own.high))
            numbers = {"found": found, "low": low, "high": high, "n": str(own.n)}
            head = say("peer", **names, column=title, **numbers)
            difference = comparison.difference(metric, part, column, reference)
            if column != reference and difference is not None:
                other = say("peer-against", other=comparison.columns[reference])
                sign = comparison.scores.metrics[metric].sign
                head = join(head, other, say_apart(difference, sign))
            sentences.append(head)
    return sentences


def say_apart(difference: Difference, sign: int) -> dict[str, str]:
    """The verdict on two that stand side by side: which number is higher, by how much, how surely.

    Args:
        difference: How much better the first is.
        sign: Of the metric: -1 where less is better, so that the better number is the lower one.
    """
    low, high = sorted((sign * difference.low, sign * difference.high))
    turned = replace(difference, mean=sign * difference.mean, low=low, high=high)
    return say_difference(turned, SENTENCES)


def telling_of_peers(columns: Sequence[Column], comparison: Comparison) -> list[dict[str, Any]]:
    """At most `MOST` items: those on which the models' scores are furthest apart, each group once.

    A single model is shown where it did worst.
    """
    found = []
    for index, item in enumerate(comparison.scores.items):
        metric = main_metric(comparison, item.part)
        values = {} if metric is None else _values(comparison, metric, index)
        if values:
            low, high = min(values.values()), max(values.values())
            found.append((low - high, low, index, metric))
    chosen, seen = [], set()
    for apart, low, index, metric in sorted(found, key=lambda one: one[:3]):
        item = comparison.scores.items[index]
        if item.example.group in seen or len(chosen) == MOST:
            continue
        seen.add(item.example.group)
        kind = KINDS[0] if apart else KINDS[1] if low < 1 else KINDS[2]
        case = Case(index, item, str(metric), low, None, None, wrongly_declined=False)
        chosen.append(entry(kind, case, columns, comparison))
    return chosen


def _values(comparison: Comparison, metric: str, index: int) -> dict[str, float]:
    """Each model's score of an item, where it has one, turned so that 1 is right."""
    less = comparison.scores.metrics[metric].lower_is_better
    rows = {name: comparison.scores.values.get((metric, name)) for name in comparison.columns}
    return {
        name: 1 - value if less else value
        for name, row in rows.items()
        if row is not None and (value := row[index]) is not None
    }
