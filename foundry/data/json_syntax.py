"""Strict JSON, and what is wrong with what is not (cases.md C51, C56).

Python's `json` alone would keep the last of two equal keys, read NaN, and turn 1.0 into a float.
"""

import json
import re
from typing import Any

from foundry.core.language import gettext as _
from foundry.data.rows import BYTE_ORDER_MARK, Bad, Item, JsonNumber, Row, too_deep, type_name

SPACE = re.compile(f"[ \\t\\n\\r{BYTE_ORDER_MARK}]*")


class Decoder:
    """Strict JSON: reads one value and notes what `json` would let pass."""

    def __init__(self) -> None:
        self.faults: list[tuple[str, str]] = []
        self._json = json.JSONDecoder(
            object_pairs_hook=self._object,
            parse_constant=self._constant,
            parse_int=JsonNumber,
            parse_float=JsonNumber,
        )

    def value(self, text: str, at: int) -> tuple[Any, int]:
        """The value that begins at `at` and where it ends.

        Raises:
            json.JSONDecodeError: The syntax is wrong or the value nests too deeply.
        """
        self.faults = []
        try:
            return self._json.raw_decode(text, at)
        except RecursionError as error:
            raise json.JSONDecodeError("nested too deeply", text, at) from error

    def item(self, value: Any, line: int) -> Item:
        """What the value read last is as a row."""
        if self.faults:
            return Bad(line, *self.faults[0])
        if not isinstance(value, dict):
            what = _("found {found}, expected an object").format(found=type_name(value))
            return Bad(line, "not-an-object", what)
        return Row(line, value)

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result: dict[str, Any] = dict(pairs)
        if len(result) == len(pairs):
            return result
        for number, (key, _value) in enumerate(pairs):
            if any(key == other for other, _value in pairs[:number]):
                self.faults.append(("duplicate-key", repeated(key)))
        return result

    def _constant(self, name: str) -> None:
        what = _("`{name}` is not a JSON number").format(name=name)
        self.faults.append(("not-a-number", what))


def skipped(text: str, at: int) -> int:
    """The position of the first character from `at` on that is no space."""
    found = SPACE.match(text, at)
    return found.end() if found else at


def is_space(text: str) -> bool:
    """Whether nothing is written in `text`."""
    return skipped(text, 0) == len(text)


def is_cut_off(error: json.JSONDecodeError) -> bool:
    """Whether the text was right as far as it goes."""
    return error.pos >= len(error.doc.rstrip())


def is_open_string(error: json.JSONDecodeError) -> bool:
    """Whether a quote is not closed."""
    return error.msg.startswith("Unterminated string")


def syntax(error: json.JSONDecodeError) -> str:
    """What is wrong, in the user's language."""
    if is_cut_off(error) or is_open_string(error):
        return detail(error)
    return invalid(detail(error))


def invalid(what: str) -> str:
    """The sentence for wrong syntax; the place is told beside it."""
    return _("not valid JSON: {detail}").format(detail=what)


def repeated(key: str) -> str:
    """The sentence for a key that one object has twice."""
    return _("the key `{key}` occurs twice in one object").format(key=key)


def detail(error: json.JSONDecodeError) -> str:
    """Our words for what Python's `json` says, by the beginning of its message."""
    if is_cut_off(error) or is_open_string(error):
        return _("the text is cut off: a value or a quote is not closed")
    words = {
        "Expecting value": _("a value is missing or begins with no quote, digit or bracket"),
        "Expecting property name": _("a key in double quotes is missing"),
        "Expecting ':'": _("a colon is missing"),
        "Expecting ','": _("a comma is missing"),
        "Invalid control": _("a line break, tab or control character stands inside quotes"),
        "Invalid \\escape": _("the backslash begins no escape that JSON knows"),
        "Invalid \\u": _("four hexadecimal digits must follow `\\u`"),
        "Illegal trailing comma": _("a comma stands before the closing bracket"),
        "nested too deeply": too_deep(),
    }
    found = (text for begin, text in words.items() if error.msg.startswith(begin))
    return next(found, _("the text from here on is no JSON"))
