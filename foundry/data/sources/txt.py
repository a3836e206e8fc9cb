"""Source `txt`: plain text, a row a paragraph; each row is `{"text": ...}`.

Nothing is stripped from the text but the line end behind it; blank lines only divide.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, TextIO

from pydantic import Field

from foundry.core.errors import DataError, Place, Problem
from foundry.core.language import gettext as _
from foundry.data import encoding
from foundry.data.rows import BYTE_ORDER_MARK, Blank, Item, Row, is_blank

SUFFIXES = (".txt", ".md")
COLUMN = "text"
LONGEST = 1 << 24  # characters of a row; a whole novel has about a million


class Spec(encoding.TextSpec):
    """Which encoding, and what a row is."""

    unit: Literal["paragraph", "line", "document"] = Field(
        "paragraph",
        description="What a row is: a paragraph, which ends at a blank line; a line; or the whole "
        "file.",
    )


def open(path: Path, spec: Spec) -> Iterator[Item]:
    """The units of the text, each with the line on which it begins.

    Raises:
        DataError: A unit is longer than `LONGEST` characters.
    """
    codec = encoding.decide(path, spec, "txt").name
    with encoding.open_text(path, codec) as stream:
        lines = _lines(stream, path)
        if spec.unit == "line":
            yield from (Blank(n) if is_blank(line) else Row(n, {COLUMN: line}) for n, line in lines)
        else:
            yield from _units(lines, path, by_paragraph=spec.unit == "paragraph")


def describe(path: Path, spec: Spec) -> str:
    """How the bytes are read: the encoding."""
    return str(encoding.decide(path, spec, "txt"))


def _units(lines: Iterator[tuple[int, str]], path: Path, *, by_paragraph: bool) -> Iterator[Item]:
    unit: list[str] = []
    first = size = 0
    for number, line in lines:
        ends = by_paragraph and is_blank(line)
        if ends and unit:
            yield Row(first, {COLUMN: "\n".join(unit)})
            unit, size = [], 0
        if not ends:
            first = first if unit else number
            unit.append(line)
            size += len(line)
            _refuse_long(path, first, size)
    if unit and not is_blank(text := "\n".join(unit)):
        yield Row(first, {COLUMN: text})


def _lines(stream: TextIO, path: Path) -> Iterator[tuple[int, str]]:
    """Number and text of each line, without its end; a mark in front of it is no text (C44)."""
    number = 0
    while line := stream.readline(LONGEST + 1):
        number += 1
        _refuse_long(path, number, len(line) - line.endswith("\n"))
        yield number, line.removesuffix("\n").removeprefix(BYTE_ORDER_MARK)


def _refuse_long(path: Path, line: int, size: int) -> None:
    if size > LONGEST:
        what = _("what begins here is longer than {most} characters, too long for a row")
        fix = _("divide it with blank lines, and leave `unit` out or write `unit: paragraph`")
        raise DataError(Problem(str(Place(str(path), line)), what.format(most=f"{LONGEST:,}"), fix))
