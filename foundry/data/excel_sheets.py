"""The sheets of an .xlsx or .xlsm file, each cell as it displays (cases.md C47, C48).

Formulas give the value that Excel kept beside them; one without is a fault of its cell, since only
a spreadsheet program can compute it. Rows and columns that are hidden or filtered out are read.
"""

import re
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, time, timedelta
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path
from typing import IO, Any
from xml.etree import ElementTree

from foundry.core.errors import DataError, Problem
from foundry.core.language import gettext as _
from foundry.data.number_format import displayed
from foundry.data.packed import DAMAGED, check_document
from foundry.data.sheets import (
    Cell,
    CellFault,
    Range,
    Rows,
    Sheet,
    cell_name,
    is_zip,
    text_of_moment,
)

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
FORMULA_OR_MERGE = re.compile(rb"[<:](?:f|mergeCell)[\s/>]")
LONGEST_TAG = 16  # bytes, of what it finds
CHUNK_BYTES = 1 << 20
ROWS_AT_ONCE = 256
HAS_TIME = re.compile(r"[hs]", re.IGNORECASE)
QUOTED = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]')  # in a number format: no sign for a part of a time
ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")  # ECMA-376-1:2016, 22.9.2.19 (ST_Xstring)
REFERENCE = re.compile(r"([A-Z]+)([0-9]+)")
# What openpyxl raises for a file that is not as the standard says.
BROKEN = (*DAMAGED, KeyError, TypeError, AttributeError, IndexError, SyntaxError, OSError)


def is_excel(path: Path) -> bool:
    """Whether the workbook is one that openpyxl reads."""
    if not is_zip(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return "xl/workbook.xml" in archive.namelist()


@contextmanager
def open_workbook(path: Path) -> Iterator[list[Sheet]]:
    """The sheets of a workbook, which can be read inside the block.

    Raises:
        DataError: The file is broken or too large.
    """
    from openpyxl.reader.excel import ExcelReader

    check_document(path)
    with path.open("rb") as stream:
        with _told(path):
            reader = ExcelReader(stream, read_only=True, data_only=True, keep_links=False)
            reader.read()
            found = {sheet.name: (sheet, part) for sheet, part in reader.parser.find_sheets()}
            for table in reader.wb.worksheets:
                table.reset_dimensions()  # what the file says of its size may be wrong
        yield [
            Sheet(
                table.title,
                found[table.title][0].state == "visible",
                partial(_is_written, path, table),
                partial(_content, path, table, found[table.title][1].target),
            )
            for table in reader.wb.worksheets
        ]


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Tell what openpyxl raises as a fault of the file, and leave out what it warns of."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except BROKEN as error:
        what = _("the workbook is broken")
        fix = _("open it in Excel or LibreOffice and save it again")
        raise DataError(Problem(str(path), what, fix)) from error


def _content(path: Path, table: Any, part: str) -> tuple[tuple[Range, ...], Rows]:
    """The merged ranges and the rows of a sheet whose XML is the member `part`."""
    status = path.stat()
    with _told(path):
        merges, uncomputed = _looked_through(path, part, (status.st_mtime_ns, status.st_size))
    return merges, _rows(path, table, uncomputed)


def _is_written(path: Path, table: Any) -> bool:
    with _told(path):
        return any(value not in (None, "") for row in table.values for value in row)


@lru_cache(maxsize=1)  # a file is described and read right after
def _looked_through(
    path: Path, part: str, stamp: tuple[int, int]
) -> tuple[tuple[Range, ...], dict[int, int]]:
    """The merged ranges, and of each row with a formula without a value the first such column."""
    with zipfile.ZipFile(path) as archive:
        with archive.open(part) as stream:
            if not _has(FORMULA_OR_MERGE, stream):  # most sheets; 20 times as fast
                return (), {}
        with archive.open(part) as stream:
            return _parsed(stream)


def _parsed(stream: IO[bytes]) -> tuple[tuple[Range, ...], dict[int, int]]:
    merges: list[Range] = []
    uncomputed: dict[int, int] = {}
    row = column = 0
    for event, element in ElementTree.iterparse(stream, ("start", "end")):
        tag = element.tag.removeprefix(MAIN)
        if event == "start":
            if tag == "sheetData":
                rows = element
            elif tag == "row":
                row, column = int(element.get("r", row + 1)), 0
        elif tag == "c":
            column = _position(element.get("r"))[1] if element.get("r") else column + 1
            if _is_uncomputed(element):
                uncomputed.setdefault(row, column)
        elif tag == "mergeCell":
            first, _colon, last = element.get("ref", "").partition(":")
            merges.append(Range(*_position(first), *_position(last or first)))
        elif tag == "row":
            rows.clear()
    return tuple(merges), uncomputed


def _has(pattern: re.Pattern[bytes], stream: IO[bytes]) -> bool:
    before = b""
    while chunk := stream.read(CHUNK_BYTES):
        if pattern.search(before + chunk):
            return True
        before = chunk[-LONGEST_TAG:]
    return False


def _position(reference: str | None) -> tuple[int, int]:
    """Row and column of `C5`, from 1."""
    found = REFERENCE.fullmatch(reference or "")
    if found is None:
        raise ValueError(reference)
    column = 0
    for letter in found[1]:
        column = column * 26 + ord(letter) - ord("A") + 1
    return int(found[2]), column


def _is_uncomputed(cell: ElementTree.Element) -> bool:
    """Whether it is a formula without a value; an empty text (`t="str"`) is one."""
    value = cell.find(f"{MAIN}v")
    has_value = value is not None and (value.text or cell.get("t") == "str")
    return cell.find(f"{MAIN}f") is not None and not has_value


def _rows(path: Path, table: Any, uncomputed: dict[int, int]) -> Rows:
    source = enumerate(table.iter_rows(), start=1)
    while True:
        with _told(path):
            found = [
                (number, [_text(c) for c in cells])
                for number, cells in islice(source, ROWS_AT_ONCE)
            ]
        if not found:
            return
        for number, cells in found:
            if number in uncomputed:
                column = uncomputed[number]
                cells[column - 1] = _no_value(number, column)
            yield number, cells


def _no_value(row: int, column: int) -> CellFault:
    what = _(
        "cell {cell} holds a formula whose value the file does not have; open it in Excel or "
        "LibreOffice and save it"
    )
    return CellFault("formula", what.format(cell=cell_name(row, column)))


def _text(cell: Any) -> Cell:
    """What the cell displays; a date in the one form of `dates.py`."""
    value = cell.value
    if value is None:
        return ""
    if cell.data_type == "e":
        what = _("cell {cell} holds the error {error}")
        name = cell_name(cell.row, cell.column)
        return CellFault("cell-error", what.format(cell=name, error=value))
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, int | float):
        return displayed(value, cell.number_format)
    if isinstance(value, date | time | timedelta):
        has_time = HAS_TIME.search(QUOTED.sub("", cell.number_format)) is not None
        return text_of_moment(value, has_time=has_time)
    return ESCAPED.sub(lambda found: chr(int(found[1], 16)), str(value)).replace("\r\n", "\n")
