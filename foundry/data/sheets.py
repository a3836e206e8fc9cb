"""A workbook's sheets as text, whichever library reads the file.

.xlsx and .xlsm are read with openpyxl, which knows the number format of a cell; .xls, .xlsb and
.ods with calamine, which does not: there a number has the digits it is stored with.
"""

import string
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, time, timedelta
from pathlib import Path

from foundry.data.dates import iso


@dataclass(frozen=True)
class CellFault:
    """What a cell has in place of a text: a short code to count by, and the reason."""

    code: str
    reason: str


Cell = str | CellFault


@dataclass(frozen=True)
class Range:
    """Merged cells; rows and columns count from 1 and are inclusive."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def is_wide(self) -> bool:
        """Whether it spans several columns."""
        return self.right > self.left

    def __str__(self) -> str:
        return f"{cell_name(self.top, self.left)}:{cell_name(self.bottom, self.right)}"


Rows = Iterator[tuple[int, list[Cell]]]
"""The number of a row, from 1, and its cells; a row may be shorter than others."""


@dataclass(frozen=True)
class Sheet:
    """One sheet of an open workbook; `read` gives its merged ranges and its rows."""

    name: str
    is_visible: bool
    is_written: Callable[[], bool]
    read: Callable[[], tuple[tuple[Range, ...], Rows]]


def cell_name(row: int, column: int) -> str:
    """The name of a cell, `C5`; both count from 1."""
    return f"{column_name(column)}{row}"


def column_name(column: int) -> str:
    """The letters of a column, counted from 1: `A` to `Z`, then `AA`."""
    letters = ""
    while column:
        column, letter = divmod(column - 1, 26)
        letters = string.ascii_uppercase[letter] + letters
    return letters


def text_of_moment(value: date | time | timedelta, *, has_time: bool = True) -> str:
    """A date, a time, both, or a length of time as hours, minutes and seconds."""
    if not isinstance(value, timedelta):
        return iso(value, has_time=has_time)
    minutes, seconds = divmod(round(value.total_seconds()), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"


def is_empty(cells: Iterable[Cell]) -> bool:
    """Whether nothing is written in any of the cells."""
    return not any(isinstance(cell, CellFault) or cell.strip() for cell in cells)


def is_zip(path: Path) -> bool:
    """Whether the workbook is a zip file (.xlsx, .xlsb, .ods), not one of Excel 97 (.xls)."""
    with path.open("rb") as stream:
        return stream.read(2) == b"PK"
