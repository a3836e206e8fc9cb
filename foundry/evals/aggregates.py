"""How what is observed of each item becomes one number: by its mean, or pooled."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from foundry.core.errors import Problem, ProofError
from foundry.core.language import gettext as _
from foundry.evals import set_statistics, statistics
from foundry.evals.answers import Answer, Item
from foundry.evals.companions import Counts, Statistic, Sums
from foundry.evals.statistics import Difference, Interval

if TYPE_CHECKING:
    from foundry.evals.companions import Array


@dataclass(frozen=True)
class Mean:
    """The mean of scores, each in 0..1; `score` gives None for an item it does not apply to.

    `name` is the metric's, for errors.
    """

    name: str
    score: Callable[[Item, Answer], float | None]

    def observe(self, item: Item, answer: Answer) -> float | None:
        """The item's score.

        Raises:
            ProofError: The evaluator gave something that is no number in 0..1.
        """
        value = self.score(item, answer)
        if value is not None and not (math.isfinite(value) and 0 <= value <= 1):
            what = _("the evaluator gave {value} for the item {item}; a score lies in 0..1")
            raise ProofError(Problem(self.name, what.format(value=value, item=item.example.id)))
        return value

    def value(self, scores: Sequence[float]) -> float:
        """The mean of at least one score."""
        return math.fsum(scores) / len(scores)

    def interval(self, scores: Sequence[float], groups: Sequence[str], *, seed: int) -> Interval:
        """The mean and its interval, which needs no draw."""
        return statistics.interval(scores, groups)

    def difference(
        self, a: Sequence[float], b: Sequence[float], groups: Sequence[str], *, seed: int
    ) -> Difference:
        """How much larger the mean of `a` is than that of `b`, item by item."""
        return statistics.paired_difference(a, b, groups, seed=seed)


@dataclass(frozen=True)
class Pooled:
    """A function of sums over items; see `PooledCompanion`. `name` is the metric's, for errors."""

    name: str
    counts: Callable[[Item, Answer], Counts | None]
    statistic: Statistic

    def observe(self, item: Item, answer: Answer) -> Counts | None:
        """What the item counts."""
        return self.counts(item, answer)

    def value(self, counts: Sequence[Counts]) -> float:
        """The number of at least one item."""
        return set_statistics.pooled(counts, self.number)

    def interval(self, counts: Sequence[Counts], groups: Sequence[str], *, seed: int) -> Interval:
        """The number, as `mean`, and its interval."""
        return set_statistics.interval(counts, groups, self.number, seed=seed)

    def difference(
        self, a: Sequence[Counts], b: Sequence[Counts], groups: Sequence[str], *, seed: int
    ) -> Difference:
        """How much larger the number of `a` is than that of `b`, both of the same items."""
        return set_statistics.paired_difference(a, b, groups, self.number, seed=seed)

    def number(self, sums: Sums) -> "Array":
        """The numbers that the sums of sets make.

        Raises:
            ProofError: It lies outside 0..1.
        """
        import numpy as np

        made = np.asarray(self.statistic(sums), dtype=float)
        outside = made[~((made >= 0) & (made <= 1))]
        if outside.size:
            what = _("the evaluator gave {value} for a set of items; it must lie in 0..1")
            raise ProofError(Problem(self.name, what.format(value=outside[0])))
        return made
