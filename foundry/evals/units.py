"""A text as the units in which overlap and repetition are counted.

Chinese has no spaces between words, so each character of it is a unit; elsewhere a run of letters
is one, and so is a number with its separators. Emoji are units of their own; punctuation, signs
such as + and `, and spaces are none.
"""

import re
import unicodedata
from collections.abc import Iterator

from foundry.data.normalising import fold

SINGLE = "\u3040-\u30ff\u3100-\u312f\u31a0-\u31bf\u3400-\u9fff\uac00-\ud7a3\uf900-\ufaff"
SINGLE += "\U00020000-\U0003ffff"
"""Kana, Bopomofo, Han with its extensions, and Hangul: written without a space at each word."""
UNIT = re.compile(
    rf"[{SINGLE}]|[0-9]+(?:,[0-9]{{3}})*(?:\.[0-9]+)?|[^\W\d_{SINGLE}]+(?:['’][^\W\d_{SINGLE}]+)*"
    r"|[^\s]"
)


def units(text: str) -> list[str]:
    """The units of `text` in order, folded (`foundry.data.normalising.fold`)."""
    return list(_units(fold(text)))


def _units(folded: str) -> Iterator[str]:
    for match in UNIT.finditer(folded):
        unit = match[0]
        if len(unit) > 1 or unicodedata.category(unit) == "So" or unit.isalnum():
            yield unit
