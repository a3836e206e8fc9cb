"""Read JSON value by value from a text that is never in memory as a whole.

Where the syntax is wrong the place is known to the line and the character.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn, TextIO

from foundry.core.errors import DataError, Place, Problem
from foundry.core.language import gettext as _
from foundry.data.json_syntax import Decoder, invalid, is_open_string, repeated, skipped, syntax
from foundry.data.rows import type_name

CHUNK_CHARS = 1 << 20
LONGEST_WORD = 16  # a cut through `-Infinity` or `\ud83d\udc4d` is an error this near to the cut


class JsonStream:
    """A place in a JSON text and a window on what follows; a value is read whole."""

    def __init__(self, path: Path, text: TextIO) -> None:
        self.decoder = Decoder()
        self._path, self._source = path, text
        self._window, self._at = "", 0
        self._ended = False
        self._before = 0  # characters before the window
        self._line, self._line_start, self._counted = 1, 0, 0  # up to `_counted` in the window

    def line(self) -> int:
        """The line of the place, from 1."""
        newlines = self._window.count("\n", self._counted, self._at)
        if newlines:
            self._line += newlines
            self._line_start = self._before + self._window.rfind("\n", 0, self._at) + 1
        self._counted = self._at
        return self._line

    def peek(self) -> str:
        """Skip space; the character then reached, or nothing at the end."""
        while True:
            rest = skipped(self._window, self._at)
            self._at = rest
            if rest < len(self._window):
                return self._window[rest]
            if not self._read_on():
                return ""

    def value(self) -> tuple[Any, int]:
        """Read the next value and go behind it; the value and the line on which it begins."""
        self.peek()
        line = self.line()
        while True:
            try:
                value, end = self.decoder.value(self._window, self._at)
            except json.JSONDecodeError as error:
                near = error.pos >= len(self._window) - LONGEST_WORD or is_open_string(error)
                if near and self._read_on():
                    continue
                self._at = max(error.pos, self._at)
                self.refuse(syntax(error))
            if end == len(self._window) and self._read_on():
                continue  # a number may go on
            self._at = end
            return value, line

    def elements(self) -> Iterator[None]:
        """Go into the list that begins here, and to each element; the caller reads it."""
        self._enter("[")
        closing = self.peek() == "]"
        while not closing:
            yield
            mark = self.peek()
            if mark not in (",", "]"):
                self.refuse(_("the list is cut off or lacks a comma before this place"))
            closing = mark == "]"
            self._at += not closing
        self._at += 1

    def members(self, *, unique: bool = False) -> Iterator[str]:
        """Go into the object that begins here, and to each value; the caller reads it.

        With `unique`, a key that occurs twice refuses the file.
        """
        self._enter("{")
        seen: set[str] = set()
        closing = self.peek() == "}"
        while not closing:
            if self.peek() != '"':
                self.refuse(invalid(_("a key in double quotes is missing")))
            key, _line = self.value()
            if unique and key in seen:
                self.refuse(repeated(key))
            seen.add(key)
            if self.peek() != ":":
                self.refuse(invalid(_("a colon is missing")))
            self._at += 1
            self.peek()
            yield key
            mark = self.peek()
            if mark not in (",", "}"):
                self.refuse(_("the object is cut off or lacks a comma before this place"))
            closing = mark == "}"
            self._at += not closing
        self._at += 1

    def refuse(self, what: str, fix: str | None = None) -> NoReturn:
        """Raise a DataError that names the place."""
        raise DataError(Problem(self.place(), what, fix))

    def place(self) -> str:
        """File, line and column of the place."""
        line = self.line()
        column = self._before + self._at - self._line_start + 1
        return str(Place(str(self._path), line, column))

    def _enter(self, opening: str) -> None:
        if self.peek() != opening:
            expected = type_name([] if opening == "[" else {})
            self.refuse(_("expected {expected} here").format(expected=expected))
        self._at += 1

    def _read_on(self) -> bool:
        """Lengthen the window, by as much again if it is full; whether there was more."""
        if self._ended:
            return False
        rest = len(self._window) - self._at
        more = self._source.read(max(CHUNK_CHARS, rest))
        self._ended = not more
        if more:
            self.line()  # counts up to the place, with which the new window begins
            self._before += self._at
            self._window = self._window[self._at :] + more
            self._at = self._counted = 0
        return bool(more)
