"""Who is compared with whom, and the numbers and names every page of the report reads."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from foundry.evals.multiplicity import judged_together
from foundry.evals.scoring import Scores
from foundry.evals.statistics import Difference
from foundry.evals.wording import ALL_PARTS, LANGUAGES, Text

DECIMALS = 6
"""Every number is rounded here once; gates and pages use the rounded number."""


@dataclass(frozen=True)
class Roles:
    """Which columns are what: base models, the tuned one, the delivered files, baselines.

    `references` are further models that the tuned one is compared with, and no gate looks at.

    Where nothing was trained, `tuned` is None and `peers` are models side by side, of which the
    first is the one that the others are compared with.
    """

    base: tuple[str, ...] = ()
    tuned: str | None = None
    delivered: tuple[str, ...] = ()
    naive: tuple[str, ...] = ()
    peers: tuple[str, ...] = ()
    references: tuple[str, ...] = ()

    @property
    def reference(self) -> str:
        """The column that the others are compared with."""
        return self.tuned if self.tuned is not None else self.peers[0]

    @property
    def candidates(self) -> tuple[str, ...]:
        """What is handed over and must be good: the tuned model and the delivered files."""
        return (*(() if self.tuned is None else (self.tuned,)), *self.delivered)

    def of(self, column: str) -> str:
        """`base`, `tuned`, `delivered`, `naive`, or `other`."""
        if column in self.candidates:
            return "tuned" if column == self.tuned else "delivered"
        if column in self.base:
            return "base"
        return "naive" if column in self.naive else "other"


@dataclass(frozen=True)
class Contrast:
    """Column `a` against column `b` by a metric in a part; `kind` says why they are compared."""

    kind: str
    metric: str
    part: str
    a: str
    b: str
    difference: Difference


@dataclass(frozen=True)
class Comparison:
    """Scores with the roles of their columns and the titles of columns and parts."""

    scores: Scores
    roles: Roles
    columns: Mapping[str, Text]
    parts: Mapping[str, Text]

    def part_title(self, name: str | None) -> Text:
        """A part's title, its name where it has none, "all parts" for None."""
        return ALL_PARTS if name is None else self.parts.get(name, same(name))

    def metric_title(self, name: str) -> Text:
        """A metric's title, its name where nothing measures it."""
        metric = self.scores.metrics.get(name)
        return same(name) if metric is None else metric.title

    def best_base(self, metric: str, part: str | None) -> str | None:
        """The better of the base columns, which the tuned model must beat."""
        return self.scores.best(metric, part, self.roles.base)

    @cached_property
    def contrasts(self) -> tuple[Contrast, ...]:
        """Every difference of the report, in its order, all judged together."""
        found = [
            Contrast(kind, metric, part, a, b, difference)
            for metric in self.scores.metrics
            for part in self.scores.parts_of(metric)
            for kind, a, b in self._pairs(metric, part)
            if (difference := self.scores.difference(metric, part, a, b)) is not None
        ]
        together = judged_together([contrast.difference for contrast in found])
        return tuple(
            replace(contrast, difference=difference)
            for contrast, difference in zip(found, together, strict=True)
        )

    def difference(self, metric: str, part: str, a: str, b: str) -> Difference | None:
        """That of a contrast, judged together with all others; None where there is none."""
        wanted = (metric, part, a, b)
        return next(
            (c.difference for c in self.contrasts if (c.metric, c.part, c.a, c.b) == wanted), None
        )

    def _pairs(self, metric: str, part: str) -> Iterator[tuple[str, str, str]]:
        """Kind and the two columns of each comparison."""
        roles, base = self.roles, self.best_base(metric, part)
        for name in roles.peers[1:]:
            yield "peers", name, roles.reference
        if roles.tuned is None:
            return
        if base is not None:
            yield "tuned-base", roles.tuned, base
        for name in roles.references:
            yield "tuned-reference", roles.tuned, name
        for name in roles.naive:
            yield "tuned-naive", roles.tuned, name
        for name in roles.delivered:
            yield "delivered-tuned", name, roles.tuned
            if base is not None:
                yield "delivered-base", name, base


def same(text: str) -> dict[str, str]:
    """A name that is the same in every language."""
    return dict.fromkeys(LANGUAGES, text)


def rounded(value: float | None) -> float | None:
    """`value` with `DECIMALS` decimals and no negative zero."""
    return None if value is None else round(value, DECIMALS) + 0.0
