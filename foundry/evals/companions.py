"""What an evaluator may measure beside its main score: further means, pooled numbers, tables.

An evaluator file always has `version`, `TITLE`, `EXPLAIN`, `Spec` and
`score(item, answer, spec) -> float | None`, the main metric: a mean over items, each in 0..1, None
where it does not apply. It may also have:

- `COMPANIONS`: a tuple of `Companion` (a mean over items too) and `PooledCompanion` (a number that
  is no mean, such as macro F1);
- `OF_MODELS = True`: only a model can have the metric, because a baseline copies its answers;
- `GRADED = True`: scores are not only 0 and 1, so that nothing is known of how many questions show
  what before some were scored;
- `OF_PAIRS = True`: an answer has the metric only beside another model's (`evals.judging`);
- `OF_TEXTS = True`: it reads how likely a text is, which no recipe asks (`evals.plain_texts`);
- `settle(items, spec) -> Spec`: the spec with what only all items together tell (the labels there
  are); called once, before any answer is scored; raises `RecipeError` where the items do not fit;
- `tables(items, answers, spec) -> Sequence[Table]`: for the report, of one column's answers to the
  items of one part that the main metric applies to.

Every text for people is a mapping with `en` and `zh-TW`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from foundry.evals.answers import Answer, Item

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

Text = Mapping[str, str]

Counts = Mapping[str, float]
"""What one item adds to a pooled number, by name. Names that are absent count nothing."""

Sums = Mapping[str, "Array"]
"""What the items of each of N sets count together: by name float64 of shape (N,)."""

Score = Callable[[Item, Answer, Any], float | None]
Observe = Callable[[Item, Answer, Any], Counts | None]
Statistic = Callable[[Sums], "Array | float"]


@dataclass(frozen=True)
class Companion:
    """A further metric that is a mean over items: `score(item, answer, spec)` in 0..1 or None.

    `name` is the metric's whole name in reports and gates (`classification-parse-rate`).
    `of_tuned` says that no delivered file is asked for it, because llama.cpp takes a pass for each
    token of a text; a gate on it looks at the tuned model alone.
    """

    name: str
    title: Text
    explain: Text
    score: Score
    lower_is_better: bool = False
    of_tuned: bool = False


@dataclass(frozen=True)
class PooledCompanion:
    """A further metric that is a function of sums over the items, and so no mean of scores.

    `observe(item, answer, spec)` gives what an item counts, or None where it does not apply;
    `statistic(sums)` makes a number in 0..1 of the sums over each of many sets of items, of shape
    (N,), or one number where no name was counted. It is given thousands of resampled sets, of which
    some lack a class or have no hit at all: it must give a number there too. F1, precision, recall,
    corpus BLEU, chrF and calibration error are such.
    """

    name: str
    title: Text
    explain: Text
    observe: Observe
    statistic: Statistic
    lower_is_better: bool = False


@dataclass(frozen=True)
class Table:
    """A table of the report: `columns` are its heads; a cell is a number, or a text.

    A cell that is a mapping is a text per language; a plain text comes from the data and is shown
    as it stands.
    """

    name: str
    title: Text
    explain: Text
    columns: tuple[Text | str, ...]
    rows: tuple[tuple[Text | str | int | float, ...], ...]

    def as_dict(self) -> dict[str, Any]:
        """The table as `report.json` holds it."""
        return {
            "name": self.name,
            "title": self.title,
            "explain": self.explain,
            "heads": list(self.columns),
            "rows": [list(row) for row in self.rows],
        }


def share(part: "Array | float", whole: "Array | float") -> "Array":
    """`part` of `whole`, each a number or (N,); 0.0 of nothing, as `PooledCompanion` wants it."""
    import numpy as np

    part, whole = np.broadcast_arrays(np.asarray(part, float), np.asarray(whole, float))
    return np.divide(part, whole, out=np.zeros(part.shape), where=whole != 0)
