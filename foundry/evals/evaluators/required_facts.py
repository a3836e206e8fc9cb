"""Evaluator `required-facts`: the answer holds every fact its row requires and none it forbids.

A fact counts only as a whole: `12元` is not in `112元`, `1,120元` or `3.12元`, and `2年` is not
in `12年`. The forbidden values are what stands beside the right one on the same sheet, so an
answer that recites the whole sheet scores 0.
"""

import re

from pydantic import Field

from foundry.evals.answers import Answer, Item
from foundry.evals.normalising import fold, normalise
from foundry.evals.parts import InParts

version = 1
TITLE = {"en": "Right answers", "zh-TW": "答對"}
EXPLAIN = {
    "en": "The answer states every fact that was asked for and none of the facts that would be "
    "wrong here.",
    "zh-TW": "答案說出了題目要的每一項資料，而且沒有夾帶不該出現的資料。",
}
SEPARATOR = "|"
SKIPPED = r"[\s,、]*"
DIGITS = frozenset("0123456789")
NUMERALS = frozenset("〇零一二三四五六七八九十百千萬") | DIGITS
# `pos` of `match` does not hide what stands before it from a look-behind.
GOES_ON_LEFT = re.compile(r"(?<=[0-9])|(?<=[0-9]\.)|(?<=[0-9][,\s])(?=[0-9]{3}(?![0-9]))")
GOES_ON_RIGHT = re.compile(r"[0-9]|\.[0-9]|[,\s][0-9]{3}(?![0-9])")

Span = tuple[int, int]


class Spec(InParts):
    """Where the facts stand."""

    required: str = Field(
        min_length=1,
        description="Column with the facts the answer must hold, separated by `|`.",
    )
    forbidden: str | None = Field(
        None,
        min_length=1,
        description="Column with texts the answer must not hold, separated by `|`.",
    )


def score(item: Item, answer: Answer, spec: Spec) -> float | None:
    """1.0 or 0.0; None where the item's row requires nothing.

    A forbidden text inside a required one is no offence: `黑色` in the required `墨黑色`.
    """
    required = _values(item, spec.required)
    if not required or not item.is_in(spec.parts):
        return None
    text = fold(answer.text)
    found = [_spans(text, value) for value in required]
    if not all(found):
        return 0.0
    allowed = [span for spans in found for span in spans]
    forbidden = _values(item, spec.forbidden) if spec.forbidden else []
    offences = [span for value in forbidden for span in _spans(text, value)]
    return float(all(any(_inside(span, other) for other in allowed) for span in offences))


def _values(item: Item, column: str) -> list[str]:
    parts = item.example.fields.get(column, "").split(SEPARATOR)
    return [value for value in map(normalise, parts) if value]


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
