"""Source `csv`: a table in text, its first row the names of the columns.

Cells are never interpreted: 0912345678, 1.0 and nan arrive as written (cases.md C48, C50). Rows
follow RFC 4180; a quote that breaks its rules refuses the file, since where the cell ends is then
unknown.
"""

import csv
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Literal

from pydantic import Field

from foundry.core.errors import DataError, Place, Problem
from foundry.core.language import gettext as _
from foundry.data import encoding
from foundry.data.rows import BYTE_ORDER_MARK, Bad, Blank, Item, Row

SUFFIXES = (".csv", ".tsv")
DELIMITERS = (",", "\t", ";", "|")
# In characters. The csv module's own limit of 131,072 is too low for a text; without one, a quote
# that is never closed would take the rest of the file into memory.
LONGEST_CELL = 1 << 24
MOST_FAULTS = 20  # quote faults told at once
TELLING_ROWS = 20


class Spec(encoding.TextSpec):
    """Which encoding, and how the cells of a row are told apart."""

    delimiter: Literal["auto", ",", "\t", ";", "|"] = Field(
        "auto",
        description="Character between two cells; `auto` takes the one most frequent in the "
        "header, a comma where there is none.",
    )


def open(path: Path, spec: Spec) -> Iterator[Item]:
    """The rows below the header, each with the line on which it begins.

    Raises:
        DataError: Empty file, a column name blank or used twice, or a quote out of place.
    """
    codec = encoding.decide(path, spec, "csv").name
    delimiter = _delimiter(path, codec) if spec.delimiter == "auto" else spec.delimiter
    csv.field_size_limit(LONGEST_CELL)
    with encoding.open_text(path, codec) as stream:
        lines = (line.removeprefix(BYTE_ORDER_MARK) for line in stream)
        yield from _items(lines, delimiter, path)


def describe(path: Path, spec: Spec) -> str:
    """How the bytes are read: the encoding."""
    return str(encoding.decide(path, spec, "csv"))


def _items(lines: Iterator[str], delimiter: str, path: Path) -> Iterator[Item]:
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    faults: list[Problem] = []
    header: list[str] | None = None
    while len(faults) < MOST_FAULTS:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            faults.append(_quote_fault(path, line, error))
            continue
        if header is not None:
            yield _item(cells, header, line)
        elif cells:
            header = _checked(cells, Place(str(path), line))
    if faults:
        raise DataError(faults)
    if header is None:
        what = _("the file is empty; its first row must name the columns")
        raise DataError(Problem(str(path), what))


def is_table(path: Path) -> bool:
    """Whether the first rows are a table beyond doubt: two columns or more, all rows as wide.

    Raises:
        DataError: The encoding cannot be told.
    """
    codec = encoding.decide(path, Spec(), "csv").name
    delimiter = _delimiter(path, codec)
    with encoding.open_text(path, codec) as stream:
        reader = csv.reader(stream, delimiter=delimiter, strict=True)
        try:
            rows = [row for row in islice(reader, TELLING_ROWS) if row]
        except csv.Error:
            return False
    width = len(rows[0]) if rows else 0
    return width > 1 and len(rows) > 1 and all(rows[0]) and {len(row) for row in rows} == {width}


def _item(cells: list[str], header: list[str], line: int) -> Item:
    if not any(cell.strip() for cell in cells):
        return Blank(line)
    if len(cells) != len(header):
        what = _("{found} cells, but the header has {expected}")
        return Bad(line, "cells", what.format(found=len(cells), expected=len(header)))
    if cells == header:
        return Bad(line, "header-again", _("the header is repeated"))
    return Row(line, dict(zip(header, cells, strict=True)))


def _checked(header: list[str], place: Place) -> list[str]:
    problems = []
    for number, name in enumerate(header, start=1):
        if not name.strip():
            what = _("column {number} has no name").format(number=number)
            problems.append(Problem(str(place), what, _("name it, or delete the column")))
        elif name in header[: number - 1]:
            what = _("two columns are called `{name}`").format(name=name)
            problems.append(Problem(str(place), what, _("rename one of them")))
    if problems:
        raise DataError(problems)
    return header


def _delimiter(path: Path, codec: str) -> str:
    """The candidate most frequent outside quotes in the header; the earlier one on a tie."""
    with encoding.open_text(path, codec) as stream:
        header = "\n"
        while header and not header.strip():
            header = stream.readline(LONGEST_CELL)
    outside = "".join(header.split('"')[::2])
    return max(DELIMITERS, key=outside.count)


def _quote_fault(path: Path, line: int, error: csv.Error) -> Problem:
    if "unexpected end of data" in str(error) or "field larger" in str(error):
        what = _("a cell of the row that begins here has an opening quote but no closing one")
    else:
        what = _("a quote inside a quoted cell of the row that begins here")
    fix = _('write a quote inside a cell twice, "", and put the cell in quotes')
    return Problem(str(Place(str(path), line)), what, fix)
