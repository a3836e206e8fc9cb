"""Who is compared with whom, and the numbers and names every page of the report reads."""

from collections.abc import Mapping
from dataclasses import dataclass

from foundry.evals.scoring import Scores
from foundry.evals.wording import ALL_PARTS, LANGUAGES, Text

DECIMALS = 6
"""Every number is rounded here once; gates and pages use the rounded number."""


@dataclass(frozen=True)
class Roles:
    """Which columns are what: base models, the tuned one, the delivered file, baselines.

    Where nothing was trained, `tuned` is None and `peers` are models side by side, of which the
    first is the one that the others are compared with.
    """

    base: tuple[str, ...] = ()
    tuned: str | None = None
    delivered: str | None = None
    naive: tuple[str, ...] = ()
    peers: tuple[str, ...] = ()

    @property
    def reference(self) -> str:
        """The column that the others are compared with."""
        return self.tuned if self.tuned is not None else self.peers[0]

    @property
    def candidates(self) -> tuple[str, ...]:
        """What is handed over and must be good: the tuned model and the delivered file."""
        return tuple(name for name in (self.tuned, self.delivered) if name is not None)

    def of(self, column: str) -> str:
        """`base`, `tuned`, `delivered`, `naive`, or `other`."""
        if column in self.candidates:
            return "tuned" if column == self.tuned else "delivered"
        if column in self.base:
            return "base"
        return "naive" if column in self.naive else "other"


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


def same(text: str) -> dict[str, str]:
    """A name that is the same in every language."""
    return dict.fromkeys(LANGUAGES, text)


def rounded(value: float | None) -> float | None:
    """`value` with `DECIMALS` decimals and no negative zero."""
    return None if value is None else round(value, DECIMALS) + 0.0
