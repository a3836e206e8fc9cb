"""Which rows of a sheet name its columns, and how (cases.md C47).

The header is the first row that is no title; a title is a row with a single text above a table of
several columns. A name that is merged over several columns is a group, and the row below belongs
to the header: `對話` over `問題` gives the column `對話/問題`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from foundry.core.errors import DataError, Problem
from foundry.core.language import gettext as _
from foundry.data.sheets import Cell, CellFault, Range, column_name

SEARCHED_ROWS = 40  # a header stands above them, and the columns used in them must have names
JOIN = "/"
EDIT = "`read: {kind: spreadsheet, header: 2}`"

Row = tuple[int, Sequence[Cell]]


@dataclass(frozen=True)
class Header:
    """The names of the columns, empty for one without; rows count from 1 and are inclusive."""

    first: int
    last: int
    names: tuple[str, ...]

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


def find_header(rows: Sequence[Row], merges: Sequence[Range], first: int | None) -> Header | None:
    """The header among the first rows of a sheet.

    Args:
        rows: The first `SEARCHED_ROWS` rows that are not empty.
        merges: The merged ranges of the sheet.
        first: The row in which the recipe says it begins.

    Returns:
        None if there is no row to choose.
    """
    if first is not None:
        return _header(first, rows, merges) if first in dict(rows) else None
    candidates = (_header(number, rows, merges) for number, _cells in rows)
    return next((h for h in candidates if not _is_title(h, rows, merges)), None)


def check_names(header: Header, rows: Sequence[Row], path: Path, sheet: str) -> None:
    """Refuse a column that is used and has no name, and a name that two columns have.

    Raises:
        DataError: Names each such column by its letters.
    """
    where = f"{path}:{sheet}!{header}"
    problems = []
    for column in _unnamed(header, rows):
        what = _("column {column} has no name in the header")
        fix = _("name it, or say in which row the header is, {edit}").format(edit=EDIT)
        problems.append(Problem(where, what.format(column=column_name(column)), fix))
    for at, name in enumerate(header.names):
        if name and name in header.names[:at]:
            what = _("two columns are called `{name}`").format(name=name)
            problems.append(Problem(where, what, _("rename one of them")))
    if problems:
        raise DataError(problems)


def _header(first: int, rows: Sequence[Row], merges: Sequence[Range]) -> Header:
    """The header that begins in row `first`, with the rows that its merged cells bring in."""
    last = first
    for merge in sorted(merges, key=lambda merge: merge.top):
        if first <= merge.top <= last:
            last = max(last, merge.bottom + merge.is_wide)
    cells = dict(rows)
    width = max(len(row) for _number, row in rows)
    names = []
    for column in range(1, width + 1):
        parts: dict[tuple[int, int], str] = {}
        for number in range(first, last + 1):
            origin = _origin(number, column, merges)
            parts[origin] = _text_at(cells, *origin)
        names.append(JOIN.join(part for part in parts.values() if part))
    return Header(first, last, tuple(names))


def _is_title(header: Header, rows: Sequence[Row], merges: Sequence[Range]) -> bool:
    """Whether its first row has one text, or none, and the rows below use several columns.

    One text that is merged over several columns but not from the first on is a group.
    """
    row = dict(rows)[header.first]
    written = [column for column, cell in enumerate(row, start=1) if cell]
    used = _used(header.first, rows)
    if len(written) > 1 or len(used) < 2:
        return False
    groups = [m for m in merges if m.is_wide and m.top == header.first and m.left > min(used)]
    return not groups


def _used(after: int, rows: Sequence[Row]) -> set[int]:
    """The columns in which something is written below the row `after`."""
    return {
        column
        for number, cells in rows
        if number > after
        for column, cell in enumerate(cells, start=1)
        if isinstance(cell, CellFault) or cell.strip()
    }


def _unnamed(header: Header, rows: Sequence[Row]) -> list[int]:
    return [c for c in sorted(_used(header.last, rows)) if not header.names[c - 1]]


def _origin(row: int, column: int, merges: Sequence[Range]) -> tuple[int, int]:
    """Where the text of a cell stands: in the first cell of its merged range, or in itself."""
    for merge in merges:
        if merge.top <= row <= merge.bottom and merge.left <= column <= merge.right:
            return merge.top, merge.left
    return row, column


def _text_at(cells: dict[int, Sequence[Cell]], row: int, column: int) -> str:
    found = cells.get(row, ())
    cell = found[column - 1] if column <= len(found) else ""
    return cell.strip() if isinstance(cell, str) else ""
