"""Every two arms beside each other: the difference, its verdict, and who wins which item."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

from foundry.evals import seeded
from foundry.evals.aggregates import Mean
from foundry.evals.arms.arm import Arm
from foundry.evals.arms.entry import SEED
from foundry.evals.comparison import rounded
from foundry.evals.metrics import Metric
from foundry.evals.multiplicity import judged_together
from foundry.evals.peers import say_apart
from foundry.evals.statistics import Difference, verdict
from foundry.evals.swaps import SAME


@dataclass(frozen=True)
class Field:
    """The items of one metric and part that every arm has an observation of.

    Attributes:
        metric: The metric.
        part: The part; None means every part.
        ids: The items, in order.
        groups: The group of each.
    """

    metric: Metric
    part: str | None
    ids: tuple[str, ...]
    groups: tuple[str, ...]

    @property
    def names(self) -> dict[str, str | None]:
        """Metric and part as a record names them."""
        return {"metric": self.metric.name, "part": self.part}

    def rows(self, arm: Arm) -> list[list[Any]]:
        """What was observed, shape (K, N), a row for each seed of the arm."""
        return arm.rows(self.metric.name, self.part, self.ids)

    def numbers(self, arm: Arm) -> list[float]:
        """The metric's number for each seed of the arm."""
        return seeded.numbers(self.metric.aggregate, self.rows(arm))


def fields(arms: Sequence[Arm]) -> list[Field]:
    """Each metric with each of its parts, and after them with all where there are several."""
    scores = arms[0].first.scores
    found = []
    for metric in scores.metrics.values():
        parts: list[str | None] = list(scores.parts_of(metric.name))
        parts += [None] if len(parts) > 1 else []
        made = (_field(arms, metric, part) for part in parts)
        found += [field for field in made if field.ids]
    return found


def _field(arms: Sequence[Arm], metric: Metric, part: str | None) -> Field:
    rows = [entry.row(metric.name, part) for arm in arms for entry in arm.entries]
    every = [
        (item.example.id, item.example.group)
        for item in arms[0].first.scores.items
        if all(item.example.id in row for row in rows)
    ]
    return Field(metric, part, tuple(i for i, _g in every), tuple(g for _i, g in every))


def scores(arms: Sequence[Arm], field: Field) -> Iterator[dict[str, Any]]:
    """The score of each arm, with its interval and how its seeds spread."""
    for arm in arms:
        rows, each = field.rows(arm), field.numbers(arm)
        own = seeded.interval(field.metric.aggregate, rows, field.groups, seed=SEED)
        yield {
            **field.names,
            "arm": arm.name,
            **_rounded(asdict(own)),
            "seeds": len(rows),
            "seed_low": rounded(min(each)),
            "seed_high": rounded(max(each)),
        }


def differences(arms: Sequence[Arm], field: Field) -> list[dict[str, Any]]:
    """Each pair of arms, how much better `a` is than `b` (whichever way is better).

    All pairs are judged together: of six pairs of equal arms one would else be called different a
    quarter of the time.
    """
    pairs = list(combinations(arms, 2))
    together = judged_together([_difference(a, b, field) for a, b in pairs])
    return [
        _record(pair, field, difference) for pair, difference in zip(pairs, together, strict=True)
    ]


def _difference(a: Arm, b: Arm, field: Field) -> Difference:
    larger, smaller = (b, a) if field.metric.lower_is_better else (a, b)
    rows = field.rows(larger), field.rows(smaller)
    return seeded.difference(field.metric.aggregate, *rows, field.groups, seed=SEED)


def _record(pair: tuple[Arm, Arm], field: Field, difference: Difference) -> dict[str, Any]:
    a, b = pair
    return {
        **field.names,
        "a": a.name,
        "b": b.name,
        **_rounded(asdict(difference)),
        "p_value": rounded(difference.p_adjusted),
        "p_alone": rounded(difference.p_value),
        **_wins(a, b, field),
        "verdict": verdict(difference),
        "sentence": say_apart(difference, field.metric.sign),
    }


def _wins(a: Arm, b: Arm, field: Field) -> dict[str, Any]:
    """Which items each arm wins; none is told where an item has no score of its own."""
    if not isinstance(field.metric.aggregate, Mean):
        return dict.fromkeys(("wins", "losses", "ties", "won", "lost"))
    gains = [
        (key, field.metric.sign * (x - y))
        for key, x, y in zip(field.ids, means(a, field), means(b, field), strict=True)
    ]
    won = [key for key, gain in gains if gain > SAME]
    lost = [key for key, gain in gains if gain < -SAME]
    ties = len(gains) - len(won) - len(lost)
    return {"wins": len(won), "losses": len(lost), "ties": ties, "won": won, "lost": lost}


def means(arm: Arm, field: Field) -> list[float]:
    """The score of each item, averaged over the seeds, of a metric that is a mean."""
    return seeded.averaged(field.rows(arm))


def _rounded(values: dict[str, Any]) -> dict[str, Any]:
    return {k: rounded(v) if isinstance(v, float) else v for k, v in values.items()}
