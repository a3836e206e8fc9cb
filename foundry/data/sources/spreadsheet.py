"""Source `spreadsheet`: a table in a sheet of an Excel or OpenDocument workbook.

Cells are text as they display (`number_format.py`), dates in the one form of `dates.py`. A cell
merged over several rows counts for each of them, by the ranges that the file has; nothing else is
filled. Hidden sheets are not read. A row's line is its number in the sheet.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from pydantic import Field

from foundry.core.errors import DataError, Problem
from foundry.core.fields import Closed
from foundry.core.language import gettext as _
from foundry.data import calamine_sheets, excel_sheets
from foundry.data.recipe_lines import read_line
from foundry.data.rows import Bad, Blank, Item, Row
from foundry.data.sheet_header import EDIT, SEARCHED_ROWS, Header, check_names, find_header
from foundry.data.sheets import Cell, CellFault, Range, Rows, Sheet, cell_name, is_empty

SUFFIXES = (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods")


class Spec(Closed):
    """Which table of the workbook."""

    sheet: str | int | None = Field(
        None,
        description="The sheet by its name, or by its number from 1; where absent, the only "
        "visible one in which something is written.",
    )
    header: int | None = Field(
        None,
        ge=1,
        description="Row in which the names of the columns begin; found where absent.",
    )


@dataclass(frozen=True)
class _Table:
    """The table of a sheet that is open: its header, merged ranges and rows, the first again."""

    sheet: str
    header: Header
    merges: tuple[Range, ...]
    rows: Rows


def open(path: Path, spec: Spec) -> Iterator[Item]:
    """The rows below the header, to the last row of the sheet in which something is written.

    Raises:
        DataError: The workbook is broken; which sheet is meant cannot be told; a column that is
            used has no name, or two have one.
    """
    with _opened(path, spec) as table:
        yield from _items(table)


def describe(path: Path, spec: Spec) -> str:
    """The sheet and the rows of the header."""
    with _opened(path, spec) as table:
        return f"sheet {table.sheet}, header in row {table.header}"


@contextmanager
def _opened(path: Path, spec: Spec) -> Iterator[_Table]:
    library = excel_sheets if excel_sheets.is_excel(path) else calamine_sheets
    with library.open_workbook(path) as sheets:
        sheet = _chosen(path, sheets, spec)
        merges, rows = sheet.read()
        first = _first_rows(rows)
        written = [row for row in first if not is_empty(row[1])]
        near = [merge for merge in merges if written and merge.top <= written[-1][0]]
        header = find_header(written, near, spec.header)
        if header is None:
            what = _("no row of sheet `{sheet}` names the columns").format(sheet=sheet.name)
            fix = _("say in which row the header is, {edit}").format(edit=EDIT)
            raise DataError(Problem(str(path), what, fix))
        check_names(header, written, path, sheet.name)
        yield _Table(sheet.name, header, merges, chain(first, rows))


def _chosen(path: Path, sheets: Sequence[Sheet], spec: Spec) -> Sheet:
    """The sheet that is meant: named, numbered among the visible ones, or the only one in use."""
    wanted = spec.sheet
    visible = [sheet for sheet in sheets if sheet.is_visible]
    if isinstance(wanted, int):
        found = visible[wanted - 1 : wanted] if wanted > 0 else []
    elif wanted is not None:
        found = [sheet for sheet in sheets if sheet.name == wanted]
    else:
        found = visible if len(visible) == 1 else [s for s in visible if s.is_written()]
    if len(found) == 1:
        return found[0]
    names = ", ".join(sheet.name for sheet in found or visible)
    if found:
        what = _("several sheets have something in them: {names}").format(names=names)
        fix = read_line("spreadsheet", spec, sheet=found[0].name)
        raise DataError(Problem(str(path), what, fix))
    what = _("no such sheet, or nothing in it; visible are: {names}").format(names=names)
    raise DataError(Problem(str(path), what, _("name one of them under `sheet`")))


def _first_rows(rows: Rows) -> list[tuple[int, list[Cell]]]:
    """As many rows as have `SEARCHED_ROWS` in which something is written."""
    found: list[tuple[int, list[Cell]]] = []
    written = 0
    for row in rows:
        found.append(row)
        written += not is_empty(row[1])
        if written == SEARCHED_ROWS:
            break
    return found


def _items(table: _Table) -> Iterator[Item]:
    for number, cells, wide in _filled(table.rows, table.merges):
        if number <= table.header.last:
            continue
        if not cells:
            yield Blank(number)
        elif wide is not None:
            what = _("the cells {range} are merged over several columns")
            yield Bad(number, "merged", what.format(range=wide))
        else:
            yield _item(number, cells, table.header.names)


def _filled(rows: Rows, merges: Sequence[Range]) -> Iterator[tuple[int, list[Cell], Range | None]]:
    """Number and cells of each row, what is merged downwards filled in; no cells for an empty row.

    With them comes the range that is merged over several columns and holds a part of the row.
    """
    coming = deque(sorted(merges, key=lambda merge: merge.top))
    down: dict[int, tuple[int, Cell]] = {}  # column -> last row, content
    wide: list[Range] = []
    for number, cells in rows:
        while coming and coming[0].top <= number:
            merge = coming.popleft()
            cell = cells[merge.left - 1] if merge.left <= len(cells) else ""
            if not merge.is_wide:
                down[merge.left] = (merge.bottom, cell)
            elif cell:
                wide.append(merge)
        wide = [merge for merge in wide if merge.bottom >= number]
        down = {column: value for column, value in down.items() if value[0] >= number}
        if is_empty(cells):
            yield number, [], None
            continue
        cells += [""] * (max(down, default=0) - len(cells))
        for column, (_last, cell) in down.items():
            cells[column - 1] = cell
        yield number, cells, wide[0] if wide else None


def _item(number: int, cells: list[Cell], names: Sequence[str]) -> Item:
    for column, cell in enumerate(cells, start=1):
        if isinstance(cell, CellFault):
            return Bad(number, cell.code, cell.reason)
        if cell.strip() and (column > len(names) or not names[column - 1]):
            what = _("cell {cell} has no name of a column above it")
            return Bad(number, "cells", what.format(cell=cell_name(number, column)))
    cells += [""] * (len(names) - len(cells))
    values = {name: cell for name, cell in zip(names, cells, strict=False) if name}
    if list(values) == list(values.values()):
        return Bad(number, "header-again", _("the header is repeated"))
    return Row(number, values)
