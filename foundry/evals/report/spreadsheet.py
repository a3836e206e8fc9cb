"""CSV that a spreadsheet shows as it is, and a statistics program reads without loss.

Excel takes a CSV without a byte-order mark for the code page of the machine (cp950 in Taiwan), so
there is one; pandas, polars and readr skip it. Answers of models are strangers' text, and a cell
that begins like a formula is one to a spreadsheet. Such a cell gets an apostrophe in front, and so
does a text that has one there already: to have the text back, take away one leading apostrophe.

Source: OWASP, "CSV Injection", for the characters; RFC 4180 for quotes and line ends.
"""

import csv
import io
from collections.abc import Mapping, Sequence

from foundry.core.page import visible
from foundry.evals.answers import LONE_SURROGATE

Cell = str | int | float | bool | None

BYTE_ORDER_MARK = "\ufeff"
APOSTROPHE = "'"
STARTS_A_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
SKIPPED = "\ufeff\u200b\u200c\u200d\u2060"
"""Signs without width that a spreadsheet may pass over before it looks for a formula."""


def write_csv(header: Sequence[str], rows: Sequence[Mapping[str, Cell]]) -> str:
    """The text of a file with `header` and a line for each row.

    Numbers stand as Python's shortest exact form, a missing value as an empty cell, and control
    characters other than line ends and tabs as their pictures.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(header)
    writer.writerows([_cell(row[name]) for name in header] for row in rows)
    return BYTE_ORDER_MARK + out.getvalue()


def _cell(value: Cell) -> Cell:
    return (
        _harmless(visible(LONE_SURROGATE.sub("\ufffd", value))) if isinstance(value, str) else value
    )


def _harmless(text: str) -> str:
    begins = text.lstrip().lstrip(SKIPPED).lstrip()
    is_formula = begins.startswith(STARTS_A_FORMULA) or text[:1] in {"\t", "\r", "\n"}
    return APOSTROPHE + text if is_formula or text.startswith(APOSTROPHE) else text
