"""Source `docx`: the text and the tables of a Word document, in order.

A table whose first row names its columns gives a row for each row below. Everything else gives
rows of `heading`, the heading it stands under, and `text`: a paragraph, or a table row without
names, its cells divided by tabs. A heading that nothing stands under gives an empty text. Tracked
changes are read as accepted (`word_text.py`). Not read: headers and footers, notes, comments, and
the numbers that Word gives to lists.

A row's line is its number among the paragraphs and table rows of the document, from 1.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from foundry.core.errors import DataError, Problem
from foundry.core.fields import Closed
from foundry.core.language import gettext as _
from foundry.data.packed import DAMAGED, check_document
from foundry.data.rows import Bad, Blank, Item, Row
from foundry.data.word_text import PARAGRAPH, GridCell, blocks, paragraph_text, style_of, table_rows

if TYPE_CHECKING:
    from docx.document import Document

SUFFIXES = (".docx",)
HEADING, TEXT = "heading", "text"
HEADING_STYLES = ("heading", "title", "標題")
# What python-docx and lxml raise for a file that is not as the standard says.
BROKEN = (*DAMAGED, KeyError, TypeError, AttributeError, SyntaxError, OSError)


class Spec(Closed):
    """What of the document is read."""

    take: Literal["all", "tables", "text"] = Field(
        "all",
        description="`tables` for the rows of tables that name their columns, `text` for "
        "everything else, `all` for both.",
    )


@dataclass(frozen=True)
class _Block:
    """A paragraph, or a table as its rows; `line` is that of its first row."""

    line: int
    text: str
    is_heading: bool = False
    rows: tuple[list[GridCell], ...] = ()


def open(path: Path, spec: Spec) -> Iterator[Item]:
    """The rows of the document in order.

    Raises:
        DataError: The file is broken, or grows too large when unpacked.
    """
    heading: tuple[int, str] = (0, "")
    is_used = True
    for block in _read(path):
        if block.is_heading:
            yield from _alone(heading, is_used, spec)
            heading, is_used = (block.line, block.text.strip()), False
        elif block.rows and (names := _names(block.rows)):
            is_used = True
            if spec.take != "text":
                yield from _table(block, names)
        else:
            for item in _plain(block, heading[1]):
                is_used = is_used or isinstance(item, Row)
                if spec.take != "tables":
                    yield item
    yield from _alone(heading, is_used, spec)


def describe(path: Path, spec: Spec) -> str:
    """How many paragraphs and tables there are."""
    found = _read(path)
    tables = sum(1 for block in found if block.rows)
    return f"{len(found) - tables} paragraphs, {tables} tables"


def _read(path: Path) -> tuple[_Block, ...]:
    status = path.stat()
    return _parsed(path, (status.st_ino, status.st_mtime_ns, status.st_size))


@lru_cache(maxsize=1)  # `describe` and `open` both need it
def _parsed(path: Path, stamp: tuple[int, int, int]) -> tuple[_Block, ...]:
    import docx

    check_document(path)
    try:
        document = docx.Document(str(path))
        styles = _heading_styles(document)
        found: list[_Block] = []
        line = 1
        for element in blocks(document.element.body):
            if element.tag == PARAGRAPH:
                text = paragraph_text(element)
                is_heading = bool(text.strip()) and style_of(element) in styles
                found.append(_Block(line, text, is_heading))
                line += 1
            else:
                rows = tuple(table_rows(element))
                found.append(_Block(line, "", rows=rows))
                line += len(rows)
    except (*BROKEN, docx.opc.exceptions.PackageNotFoundError) as error:
        what = _("the document is broken")
        fix = _("open it in Word or LibreOffice and save it again as .docx")
        raise DataError(Problem(str(path), what, fix)) from error
    return tuple(found)


def _heading_styles(document: "Document") -> set[str]:
    """The identifiers of the styles for headings, by their names or those they are based on."""
    from docx.enum.style import WD_STYLE_TYPE

    found = set()
    for style in document.styles:
        if style.type != WD_STYLE_TYPE.PARAGRAPH:
            continue
        base, depth = style, 0
        while base is not None and depth < 10:
            if str(base.name).lower().startswith(HEADING_STYLES):
                found.add(style.style_id)
            base, depth = base.base_style, depth + 1
    return found


def _names(rows: Sequence[list[GridCell]]) -> list[str] | None:
    """The columns' names; None if the first row does not name two or more, each once."""
    names = [cell.text.strip() for cell in rows[0]]
    is_plain = all(cell.span == 1 and not cell.goes_on for cell in rows[0])
    if len(rows) < 2 or len(names) < 2 or not is_plain or not all(names):
        return None
    return names if len(set(names)) == len(names) else None


def _table(block: _Block, names: Sequence[str]) -> Iterator[Item]:
    for line, cells in enumerate(block.rows[1:], start=block.line + 1):
        texts = [cell.text for cell in cells]
        if not any(cell.text.strip() and not cell.goes_on for cell in cells):
            yield Blank(line)
        elif any(cell.span > 1 for cell in cells):
            what = _("the cell `{text}` is merged over several columns")
            wide = next(cell.text for cell in cells if cell.span > 1)
            yield Bad(line, "merged", what.format(text=wide[:40]))
        elif len(texts) != len(names):
            what = _("{found} cells, but the header has {expected}")
            yield Bad(line, "cells", what.format(found=len(texts), expected=len(names)))
        else:
            yield Row(line, dict(zip(names, texts, strict=True)))


def _plain(block: _Block, heading: str) -> Iterator[Item]:
    """A paragraph, or the rows of a table without names."""
    texts = ["\t".join(cell.text for cell in row) for row in block.rows] or [block.text]
    for line, text in enumerate(texts, start=block.line):
        yield Row(line, {HEADING: heading, TEXT: text}) if text.strip() else Blank(line)


def _alone(heading: tuple[int, str], is_used: bool, spec: Spec) -> Iterator[Item]:
    """A heading that nothing stands under, so that it is not lost unsaid."""
    line, text = heading
    if not is_used and spec.take != "tables":
        yield Row(line, {HEADING: text, TEXT: ""})
