"""The sheets of an .xls, .xlsb or .ods file.

calamine gives a number without the format of its cell, so 04595257 that is only displayed so comes
as 4595257; a cell with an error, such as #N/A, comes empty. Of .ods it does not give the merged
cells: such a file is refused, since a blank could be one that is merged with its neighbour.
"""

import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, time, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foundry.core.errors import DataError, Problem
from foundry.core.language import gettext as _
from foundry.data.number_format import general
from foundry.data.packed import check_document
from foundry.data.sheets import Cell, Range, Rows, Sheet, is_zip, text_of_moment

CHUNK_BYTES = 1 << 20
CONTENT = "content.xml"
SPANS = re.compile(rb'number-(?:rows|columns)-spanned="(?!1")')
LONGEST_SPAN = 40  # bytes, of what `SPANS` finds

if TYPE_CHECKING:
    from python_calamine import CalamineSheet


@contextmanager
def open_workbook(path: Path) -> Iterator[list[Sheet]]:
    """The sheets of a workbook, which can be read inside the block.

    Raises:
        DataError: The file is broken, too large, or protected with a password.
    """
    import python_calamine

    try:
        if is_zip(path):
            check_document(path, every_byte=True)
            _refuse_merged(path)
        with python_calamine.CalamineWorkbook.from_path(path) as book:
            yield [
                Sheet(
                    found.name,
                    found.visible == python_calamine.SheetVisibleEnum.Visible,
                    partial(_is_written, book.get_sheet_by_name, found.name),
                    partial(_content, book.get_sheet_by_name, found.name),
                )
                for found in book.sheets_metadata
                if found.typ == python_calamine.SheetTypeEnum.WorkSheet
            ]
    except python_calamine.CalamineError as error:
        what = _("the workbook is broken")
        fix = _("open it in Excel or LibreOffice and save it again")
        raise DataError(Problem(str(path), what, fix)) from error


def _refuse_merged(path: Path) -> None:
    """Refuse an .ods file with a cell that spans several."""
    with zipfile.ZipFile(path) as archive:
        if CONTENT not in archive.namelist():
            return
        with archive.open(CONTENT) as stream:
            before = b""
            while chunk := stream.read(CHUNK_BYTES):
                if SPANS.search(before + chunk):
                    what = _("the file has merged cells, which cannot be told in an .ods file")
                    fix = _("save it as .xlsx, or take the cells apart")
                    raise DataError(Problem(str(path), what, fix))
                before = chunk[-LONGEST_SPAN:]


def _is_written(sheet_of: Any, name: str) -> bool:
    return sheet_of(name).total_height > 0


def _content(sheet_of: Any, name: str) -> tuple[tuple[Range, ...], Rows]:
    sheet: CalamineSheet = sheet_of(name)
    merges = tuple(
        Range(top + 1, left + 1, bottom + 1, right + 1)
        for (top, left), (bottom, right) in sheet.merged_cell_ranges or ()
    )
    rows = ((n, [_text(v) for v in row]) for n, row in enumerate(sheet.iter_rows(), start=1))
    return merges, rows


def _text(value: Any) -> Cell:
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, int | float):
        return general(value)
    if isinstance(value, date | time | timedelta):
        return text_of_moment(value)
    return str(value).replace("\r\n", "\n")
