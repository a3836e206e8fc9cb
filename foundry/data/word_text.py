"""The text of a Word document's paragraphs and tables, with all tracked changes accepted.

Takes the XML elements that python-docx opens. Its own `Paragraph.text` leaves out what stands in
content controls, insertions and formulas, and `Document.iter_inner_content` the content controls
around whole paragraphs; here they are text as any other.

Source: ECMA-376-1:2016, 17 (WordprocessingML).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Element = Any  # lxml's; it has no types

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
PARAGRAPH, TABLE, TABLE_ROW, CELL, BOX = (
    f"{W}{n}" for n in ("p", "tbl", "tr", "tc", "txbxContent")
)
DELETED = {f"{W}del", f"{W}moveFrom"}
FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"  # said again
# What only wraps blocks, rows or cells that belong to the text.
WRAPPERS = {f"{W}{name}" for name in ("sdt", "sdtContent", "customXml", "ins", "moveTo")}
TEXTS = {f"{W}t", "{http://schemas.openxmlformats.org/officeDocument/2006/math}t"}
CHARACTERS = {f"{W}tab": "\t", f"{W}br": "\n", f"{W}cr": "\n", f"{W}noBreakHyphen": "-"}
PROPERTIES = {f"{W}pPr", f"{W}rPr"}


@dataclass(frozen=True)
class GridCell:
    """A cell of a table: its text and how many columns it spans."""

    text: str
    span: int = 1
    goes_on: bool = False  # belongs to the cell above, whose text it repeats


def blocks(element: Element) -> Iterator[Element]:
    """The paragraphs and tables below an element in order; text boxes behind their paragraph."""
    for child in element:
        if child.tag in (PARAGRAPH, TABLE):
            yield child
            if child.tag == PARAGRAPH:
                yield from (block for box in _boxes(child) for block in blocks(box))
        elif child.tag in WRAPPERS:
            yield from blocks(child)


def paragraph_text(element: Element) -> str:
    """The text of a paragraph without that of its text boxes."""
    return "".join(_texts(element))


def style_of(paragraph: Element) -> str:
    """The identifier of a paragraph's style, empty for the default one."""
    found = paragraph.find(f"{W}pPr/{W}pStyle")
    return "" if found is None else str(found.get(f"{W}val", ""))


def table_rows(table: Element) -> Iterator[list[GridCell]]:
    """The rows of a table; a cell merged downwards has its text in each of its rows."""
    above: dict[int, str] = {}  # by column
    for row in _inside(table, TABLE_ROW):
        properties = row.find(f"{W}trPr")
        if properties is not None and properties.find(f"{W}del") is not None:
            continue
        column = _number(properties, "gridBefore", 0)
        cells = [GridCell("") for _missing in range(column)]
        for cell in _inside(row, CELL):
            settings = cell.find(f"{W}tcPr")
            merge = None if settings is None else settings.find(f"{W}vMerge")
            goes_on = merge is not None and merge.get(f"{W}val", "continue") == "continue"
            text = above.get(column, "") if goes_on else flat_text(cell)
            above[column] = text
            cells.append(GridCell(text, _number(settings, "gridSpan", 1), goes_on))
            column += cells[-1].span
        yield cells


def flat_text(element: Element) -> str:
    """All text in an element: a line a paragraph, a line a table row with tabs between cells."""
    lines = []
    for block in blocks(element):
        if block.tag == PARAGRAPH:
            lines.append(paragraph_text(block))
        else:
            lines += ["\t".join(cell.text for cell in row) for row in table_rows(block)]
    return "\n".join(lines).strip("\n")


def _texts(element: Element) -> Iterator[str]:
    for child in element:
        if child.tag in TEXTS:
            yield child.text or ""
        elif child.tag in CHARACTERS:
            yield (
                ""
                if child.get(f"{W}type", "textWrapping") != "textWrapping"
                else CHARACTERS[child.tag]
            )
        elif child.tag not in DELETED | PROPERTIES | {BOX, FALLBACK}:
            yield from _texts(child)


def _boxes(element: Element) -> Iterator[Element]:
    """The text boxes that hang on a paragraph, each once."""
    for child in element:
        if child.tag == BOX:
            yield child
        elif child.tag not in DELETED | {FALLBACK}:
            yield from _boxes(child)


def _inside(element: Element, tag: str) -> Iterator[Element]:
    """The children with a tag, those in a wrapper included."""
    for child in element:
        if child.tag == tag:
            yield child
        elif child.tag in WRAPPERS:
            yield from _inside(child, tag)


def _number(properties: Element | None, name: str, default: int) -> int:
    found = None if properties is None else properties.find(f"{W}{name}")
    return default if found is None else int(found.get(f"{W}val", default))
