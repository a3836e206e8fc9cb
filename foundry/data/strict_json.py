"""JSON inside a cell: tool calls, tool definitions and records that a file holds as text.

Read as strictly as the file itself: a key that occurs twice, NaN, text behind the value, a NUL and
half of a surrogate pair are faults, never repaired (cases.md C56, C59, C60).
"""

import json
from decimal import Decimal, InvalidOperation
from typing import Any

from foundry.core.language import gettext as _
from foundry.data.json_syntax import Decoder, detail, skipped
from foundry.data.rows import JsonNumber, unusable

LONGEST_SHOWN = 40  # characters of a number named in a reason


class JsonFault(Exception):
    """Text that is no JSON value or cannot be kept; says what is wrong."""


def parse(text: str) -> Any:
    """The value that the text is, its numbers as they were written.

    Raises:
        JsonFault: The text is not exactly one JSON value, or holds what no row may hold.
    """
    decoder = Decoder()
    try:
        value, end = decoder.value(text, skipped(text, 0))
    except json.JSONDecodeError as error:
        raise _invalid(error.pos, detail(error)) from error
    if (end := skipped(text, end)) < len(text):
        raise _invalid(end, _("more text stands behind the value"))
    fault = decoder.faults[0] if decoder.faults else unusable([value])
    if fault is not None:
        raise JsonFault(fault[1])
    return value


def _invalid(at: int, what: str) -> JsonFault:
    sentence = _("not valid JSON at character {column}: {detail}")
    return JsonFault(sentence.format(column=at + 1, detail=what))


def plain(value: Any, respelled: list[str]) -> Any:
    """The value with Python's own numbers, which templates write out.

    1.0 stays 1.0, and a whole number keeps every digit. A number that is written differently from
    how JSON is printed (1.50, 1e5) keeps its value and is added to `respelled`.

    Raises:
        JsonFault: A number that no float holds.
    """
    if isinstance(value, JsonNumber):
        return _number(value.text, respelled)
    if isinstance(value, dict):
        return {key: plain(item, respelled) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item, respelled) for item in value]
    return value


def _number(text: str, respelled: list[str]) -> int | float:
    what = _("the number {number} cannot be kept exactly")
    try:
        number: int | float = int(text) if text.lstrip("-").isdigit() else float(text)
        if str(number) == text:
            return number
        if Decimal(str(number)) != Decimal(text):
            raise JsonFault(what.format(number=_short(text)))
    except (ValueError, InvalidOperation) as error:  # 5,000 digits, or an exponent of as many
        raise JsonFault(what.format(number=_short(text))) from error
    respelled.append(text)
    return number


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"
