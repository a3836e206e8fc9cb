"""JSON inside a cell: tool calls, tool definitions and records that a file holds as text.

As strict as the file itself is read: a key that occurs twice, NaN, text behind the value and half
of a surrogate pair are faults, never repaired (cases.md C56, C59, C60).
"""

import json
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

from foundry.core.language import gettext as _
from foundry.data.rows import JsonNumber

DEEPEST = 64  # as for the rows themselves, `foundry/data/reading.py`
LONGEST_SHOWN = 40  # characters of a number named in a reason


class JsonFault(Exception):
    """Text that is no JSON value, or a number that cannot be kept; says what is wrong."""


def parse(text: str) -> Any:
    """The value that the text is, its numbers as they were written.

    Raises:
        JsonFault: The text is not exactly one JSON value.
    """
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        what = _("not valid JSON at character {column}: {detail}")
        raise JsonFault(what.format(column=error.pos + 1, detail=error.msg)) from error
    except RecursionError as error:
        what = _("lists and objects are nested more than {n} deep")
        raise JsonFault(what.format(n=DEEPEST)) from error
    return value


def plain(value: Any, respelled: list[str], depth: int = 0) -> Any:
    """The value with Python's own numbers, which templates write out.

    1.0 stays 1.0, and a whole number keeps every digit. A number that is written differently from
    how JSON is printed (1.50, 1e5) keeps its value and is added to `respelled`.

    Raises:
        JsonFault: A number that no float holds, text that is no Unicode, or too deep a nesting.
    """
    if depth > DEEPEST:
        raise JsonFault(_("lists and objects are nested more than {n} deep").format(n=DEEPEST))
    if isinstance(value, JsonNumber):
        return _number(value.text, respelled)
    if isinstance(value, dict):
        return {_text(key): plain(item, respelled, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item, respelled, depth + 1) for item in value]
    return _text(value) if isinstance(value, str) else value


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


def _text(text: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise JsonFault(_("half of a surrogate pair stands in the text")) from error
    return text


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise JsonFault(_("the key `{key}` occurs twice in one object").format(key=key))
        result[key] = value
    return result


def _constant(name: str) -> NoReturn:
    raise JsonFault(_("`{name}` is not a JSON number").format(name=name))


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_constant=_constant,
    parse_int=JsonNumber,
    parse_float=JsonNumber,
)
