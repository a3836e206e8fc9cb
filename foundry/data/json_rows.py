"""Rows of a JSON file in whatever shape it has: the content decides, not the name (C54).

Shapes: one object a line; one array of objects; objects one after another over several lines;
one object whose key `data` holds the array. A faulty row is refused by line and reading goes on
where the end of the row is known (a line, or a value whose syntax is right); where it is not, the
file is refused at that place, since nothing after it can be trusted.

Python's `json` alone would keep the last of two equal keys, read NaN, and turn 1.0 into a float;
none of that happens here (C51, C56).
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from foundry.core.errors import DataError, Place, Problem
from foundry.core.language import gettext as _
from foundry.data.encoding import open_text
from foundry.data.rows import BYTE_ORDER_MARK, Bad, Blank, Item, JsonNumber, Row, type_name

WRAPPER_KEY = "data"
SPACE = re.compile(f"[ \\t\\n\\r{BYTE_ORDER_MARK}]*")


def read_rows(path: Path) -> Iterator[Item]:
    """The rows of a JSON file, lines counted from 1.

    Raises:
        DataError: Not JSON, broken where the row's end is unknown, several arrays, or empty.
    """
    if _is_by_line(path):
        yield from _by_line(path)
        return
    with open_text(path) as stream:
        text = stream.read()
    yield from _Text(path, text).items()


class _Decoder:
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
        result: dict[str, Any] = {}
        for key, value in pairs:
            if key in result:
                what = _("the key `{key}` occurs twice in one object").format(key=key)
                self.faults.append(("duplicate-key", what))
            result[key] = value
        return result

    def _constant(self, name: str) -> None:
        what = _("`{name}` is not a JSON number").format(name=name)
        self.faults.append(("not-a-number", what))


def _is_by_line(path: Path) -> bool:
    """Whether the first written line is a row: a whole object, or one broken inside the line.

    An object that is right as far as it goes and still open at the end of its line goes on below.
    """
    with open_text(path) as stream:
        first = next((line for line in stream if not _is_space(line)), "")
    start = _skipped(first, 0)
    if not first.startswith("{", start):
        return False
    try:
        value, end = _Decoder().value(first, start)
    except json.JSONDecodeError as error:
        return not _is_cut_off(error) or _is_open_string(error)
    return _skipped(first, end) == len(first) and not _is_wrapper(value)


def _is_wrapper(value: Any) -> bool:
    inner = value.get(WRAPPER_KEY) if isinstance(value, dict) else None
    return isinstance(inner, list) and all(isinstance(item, dict) for item in inner)


def _by_line(path: Path) -> Iterator[Item]:
    decoder = _Decoder()
    with open_text(path) as stream:
        for number, line in enumerate(stream, start=1):
            yield Blank(number) if _is_space(line) else _line_item(decoder, line, number)


def _line_item(decoder: _Decoder, line: str, number: int) -> Item:
    try:
        value, end = decoder.value(line, _skipped(line, 0))
    except json.JSONDecodeError as error:
        return Bad(number, "json-syntax", _syntax(error))
    end = _skipped(line, end)
    if end < len(line):
        what = _("more text after the end of the object, from character {column} on")
        return Bad(number, "json-syntax", what.format(column=end + 1))
    return decoder.item(value, number)


def _syntax(error: json.JSONDecodeError) -> str:
    if _is_cut_off(error) or _is_open_string(error):
        return _("the text is cut off: a value or a quote is not closed")
    what = _("not valid JSON at character {column}: {detail}")
    return what.format(column=error.colno, detail=error.msg)


def _is_cut_off(error: json.JSONDecodeError) -> bool:
    return error.pos >= len(error.doc.rstrip())


def _is_open_string(error: json.JSONDecodeError) -> bool:
    return error.msg.startswith("Unterminated string")


def _skipped(text: str, at: int) -> int:
    """The position of the first character from `at` on that is no space."""
    found = SPACE.match(text, at)
    return found.end() if found else at


def _is_space(line: str) -> bool:
    return _skipped(line, 0) == len(line)


@dataclass
class _Text:
    """A whole JSON file in memory, for the shapes whose rows go over several lines."""

    path: Path
    text: str
    _decoder: _Decoder = field(default_factory=_Decoder)
    _at: int = 0
    _line: int = 1  # the line on which `_counted_to` lies
    _counted_to: int = 0

    def items(self) -> Iterator[Item]:
        """The rows of an array, of a wrapped array, or objects one after another."""
        opening = self._peek()
        if opening == "[":
            yield from self._array()
            self._end_here()
        elif opening == "{":
            yield from self._objects()
        elif opening:
            self._refuse(_("not JSON: expected an object or a list of objects"))

    def _array(self) -> Iterator[Item]:
        self._at += 1
        closing = self._peek() == "]"
        while not closing:
            value, line = self._value()
            yield self._decoder.item(value, line)
            mark = self._peek()
            if mark not in (",", "]"):
                self._refuse(_("the list of rows is cut off or lacks a comma before this place"))
            closing = mark == "]"
            self._at += not closing
        self._at += 1

    def _objects(self) -> Iterator[Item]:
        start = self._at
        value, line = self._value()
        if _is_wrapper(value) and not self._peek():
            self._enter_wrapper(start)
            yield from self._array()
            return
        yield self._decoder.item(value, line)
        while self._peek():
            value, line = self._value()
            yield self._decoder.item(value, line)

    def _enter_wrapper(self, start: int) -> None:
        """Go to the list under `data` of the object at `start`, whose syntax is right."""
        self._go(start)
        places = []
        while self._peek() in ("{", ","):
            self._at += 1
            key, _line = self._value()
            self._peek()
            self._at += 1  # the colon
            if self._peek() == "[" and key == WRAPPER_KEY:
                places.append(self._at)
            self._value()
        self._go(places[-1])
        if len(places) > 1:
            self._refuse(_("the key `{key}` occurs twice in one object").format(key=WRAPPER_KEY))

    def _go(self, place: int) -> None:
        self._at, self._line, self._counted_to = place, 1, 0

    def _value(self) -> tuple[Any, int]:
        """Read the next value and go behind it; the value and the line it begins on."""
        self._peek()
        line = self._line_here()
        try:
            value, self._at = self._decoder.value(self.text, self._at)
        except json.JSONDecodeError as error:
            self._at = max(error.pos, self._at)
            self._refuse(_syntax(error))
        return value, line

    def _peek(self) -> str:
        """Skip space; the character then reached, or nothing at the end."""
        self._at = _skipped(self.text, self._at)
        return self.text[self._at : self._at + 1]

    def _end_here(self) -> None:
        if self._peek():
            self._refuse(
                _("more text after the end of the list of rows; a file holds one list"),
                _("join the lists into one, or make a file of each"),
            )

    def _line_here(self) -> int:
        self._line += self.text.count("\n", self._counted_to, self._at)
        self._counted_to = self._at
        return self._line

    def _refuse(self, what: str, fix: str | None = None) -> NoReturn:
        column = self._at - self.text.rfind("\n", 0, self._at)
        raise DataError(Problem(str(Place(str(self.path), self._line_here(), column)), what, fix))
