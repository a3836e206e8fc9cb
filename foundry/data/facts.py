"""Facts that a text must state and facts that it must not, each only as a whole.

`12元` is not in `112元`, `1,120元` or `3.12元`, and `2年` is not in `12年`. Evaluations score with
it and trainings reward with it, so that what is learned is what is measured.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import Field

from foundry.core.fields import Closed
from foundry.data.normalising import fold, normalise

SEPARATOR = "|"
SKIPPED = r"[\s,、]*"
DIGITS = frozenset("0123456789")
NUMERALS = frozenset("〇零一二三四五六七八九十百千萬") | DIGITS
# `pos` of `match` does not hide what stands before it from a look-behind.
GOES_ON_LEFT = re.compile(r"(?<=[0-9])|(?<=[0-9]\.)|(?<=[0-9][,\s])(?=[0-9]{3}(?![0-9]))")
GOES_ON_RIGHT = re.compile(r"[0-9]|\.[0-9]|[,\s][0-9]{3}(?![0-9])")

Span = tuple[int, int]


class FactColumns(Closed):
    """Where the facts of a row stand, for an evaluator as for a reward."""

    required: str = Field(
        min_length=1,
        description="Column with the facts the answer must hold, separated by `|`.",
    )
    forbidden: str | None = Field(
        None,
        min_length=1,
        description="Column with texts the answer must not hold, separated by `|`.",
    )


@dataclass(frozen=True)
class Facts:
    """Facts as `listed` gives them; at least one is required."""

    required: Sequence[str]
    forbidden: Sequence[str] = ()

    def share(self, text: str) -> float:
        """Share of the required facts that a text states; 0 if it states a forbidden one.

        A forbidden text inside a required one is no offence: `黑色` in the required `墨黑色`.
        """
        folded = fold(text)
        found = [spans for value in self.required if (spans := _spans(folded, value))]
        allowed = [span for spans in found for span in spans]
        offences = [span for value in self.forbidden for span in _spans(folded, value)]
        if not all(any(_inside(span, other) for other in allowed) for span in offences):
            return 0.0
        return len(found) / len(self.required)

    def hold(self, text: str) -> bool:
        """Whether a text states every required fact and no forbidden one."""
        return self.share(text) == 1.0


def listed(cell: str) -> tuple[str, ...]:
    """The facts of a cell, which `|` separates, in the form in which texts are compared."""
    return tuple(value for value in map(normalise, cell.split(SEPARATOR)) if value)


def _spans(text: str, value: str) -> list[Span]:
    """Where `value` stands as a whole in the folded `text`; separators inside it are skipped."""
    pattern = f"(?=({SKIPPED.join(map(re.escape, value))}))"
    return [m.span(1) for m in re.finditer(pattern, text) if _is_whole(text, m.span(1))]


def _is_whole(text: str, span: Span) -> bool:
    """Whether no number goes on over either end; `1,280` is one number, `2、12` are two."""
    start, end = span
    if text[start] in DIGITS:
        on_left = GOES_ON_LEFT.match(text, start) is not None
    else:
        on_left = text[start] in NUMERALS and text[max(0, start - 1) : start] in NUMERALS
    if text[end - 1] in DIGITS:
        on_right = GOES_ON_RIGHT.match(text, end) is not None
    else:
        on_right = text[end - 1] in NUMERALS and text[end : end + 1] in NUMERALS
    return not (on_left or on_right)


def _inside(span: Span, other: Span) -> bool:
    return other[0] <= span[0] and span[1] <= other[1]
