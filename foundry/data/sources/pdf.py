"""Source `pdf`: the text of a PDF file, a row a page: `page`, its number, and `text`.

A page with drawings or pictures and no text is refused as scanned; nothing is recognised from
pictures. Lines end as on the page; a word divided there keeps its hyphen. A row's line is its
page.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from foundry.core.errors import DataError, Problem
from foundry.core.fields import Closed
from foundry.core.language import gettext as _
from foundry.data.rows import Bad, Blank, Item, JsonNumber, Row

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument, PdfPage

SUFFIXES = (".pdf",)
PAGE, TEXT = "page", "text"
DIVIDED = "\x02"  # what PDFium writes for a hyphen and the line end behind it
WRONG_PASSWORD, UNKNOWN_SECURITY = 4, 5  # FPDF_GetLastError, fpdfview.h


class Spec(Closed):
    """Nothing to set: each page is a row."""


def open(path: Path, spec: Spec) -> Iterator[Item]:
    """The pages in order.

    Raises:
        DataError: The file is broken or protected with a password, or no page of it has text.
    """
    with _opened(path) as document:
        has_text = False
        for number in range(1, len(document) + 1):
            item = _item(document[number - 1], number)
            has_text = has_text or isinstance(item, Row)
            yield item
    if not has_text:
        what = _("no page has text: the file is empty or scanned, and needs OCR")
        fix = _("recognise its text with an OCR program, and check what it gives")
        raise DataError(Problem(str(path), what, fix))


def describe(path: Path, spec: Spec) -> str:
    """How many pages there are."""
    with _opened(path) as document:
        return f"{len(document)} pages"


@contextmanager
def _opened(path: Path) -> "Iterator[PdfDocument]":
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        what, fix = _("the PDF file is broken or cut off"), _("copy or download it again")
        if error.err_code in (WRONG_PASSWORD, UNKNOWN_SECURITY):
            what = _("the document is protected with a password")
            fix = _("open it with the password and save it without one")
        raise DataError(Problem(str(path), what, fix)) from error
    try:
        yield document
    finally:
        document.close()


def _item(page: "PdfPage", number: int) -> Item:
    words = page.get_textpage()
    # By default it would leave out what is no Unicode; half a surrogate pair is told by `reading`.
    text = words.get_text_bounded(errors="surrogatepass")
    text = text.replace("\r\n", "\n").replace(DIVIDED, "-\n")
    words.close()
    is_drawn = next(page.get_objects(max_depth=1), None) is not None
    page.close()
    if text.strip():
        return Row(number, {PAGE: JsonNumber(str(number)), TEXT: text})
    if is_drawn:
        return Bad(number, "scanned", _("the page is a picture without text: scanned, needs OCR"))
    return Blank(number)
