"""Workbooks for tests, as Excel would save them."""

import re
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import openpyxl


def write_workbook(
    path: Path,
    cells: Mapping[str, Any],
    *,
    merged: Iterable[str] = (),
    formats: Mapping[str, str] = {},
    computed: Mapping[str, str] = {},
    sheets: Mapping[str, str] = {},
) -> Path:
    """A workbook whose first sheet is `問答`.

    Args:
        path: Where to write it.
        cells: `{"A1": "類別"}`.
        merged: Ranges such as `B1:C1`.
        formats: Number formats by cell.
        computed: What Excel keeps beside the formula of a cell.
        sheets: More sheets with one text in them, and their state: `visible` or `hidden`.
    """
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "問答"
    for name, value in cells.items():
        sheet[name] = value
    for name, code in formats.items():
        sheet[name].number_format = code
    for name in merged:
        sheet.merge_cells(name)
    for name, state in sheets.items():
        more = book.create_sheet(name)
        more["A1"], more.sheet_state = "x", state
    book.save(path)
    if computed:
        edit_sheet(path, 1, lambda xml: _with_values(xml, computed))
    return path


def edit_sheet(path: Path, number: int, edit: Callable[[bytes], bytes]) -> None:
    """Change the XML of a sheet, counted from 1."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    part = f"xl/worksheets/sheet{number}.xml"
    members[part] = edit(members[part])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def _with_values(xml: bytes, values: Mapping[str, str]) -> bytes:
    for name, value in values.items():
        pattern = rf'(<c r="{name}".*?)<v ?/?>(</v>)?'
        xml, count = re.subn(pattern.encode(), rf"\1<v>{value}</v>".encode(), xml)
        assert count == 1, name
    return xml
