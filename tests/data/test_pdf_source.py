"""A page with text is a row; a page without is refused as scanned, never left out unsaid."""

import pytest

from foundry.core.errors import DataError
from foundry.data.reading import read
from foundry.data.rows import Bad, Blank, JsonNumber, Row
from tests.data.pdf_file import PICTURE, pdf


def items(path):
    return list(read(path).items)


def test_each_page_is_a_row_with_its_lines(file):
    path = file("a.pdf", pdf(["恒春的裏面", "許功蓋 👍"], ["second"]))

    assert read(path).encoding == "2 pages"
    assert items(path) == [
        Row(1, {"page": JsonNumber("1"), "text": "恒春的裏面\n許功蓋 👍"}),
        Row(2, {"page": JsonNumber("2"), "text": "second"}),
    ]


def test_word_divided_at_the_end_of_a_line_keeps_its_hyphen(file):
    (row,) = items(file("a.pdf", pdf(["exam-", "ple"])))

    assert row.values["text"] == "exam-\nple"


def test_picture_is_refused_and_an_empty_page_is_blank(file):
    found = items(file("a.pdf", pdf(["一頁"], PICTURE, None)))

    scanned = "the page is a picture without text: scanned, needs OCR"
    assert found[1:] == [Bad(2, "scanned", scanned), Blank(3)]


@pytest.mark.parametrize("pages", [(PICTURE, PICTURE), (None,)])
def test_file_without_any_text_is_refused(file, pages):
    with pytest.raises(DataError, match="needs OCR"):
        items(file("a.pdf", pdf(*pages)))


LOCKED = (
    f"/Encrypt<</Filter/Standard/V 4/R 4/O({'o' * 32})/U({'u' * 32})/P -4/Length 128>>/ID[(a)(b)]"
)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (pdf(["a"], trailer=LOCKED), "protected with a password"),
        (pdf(["a"])[:300], "broken or cut off"),
    ],
)
def test_file_that_cannot_be_opened_is_refused(file, content, what):
    with pytest.raises(DataError, match=what):
        items(file("a.pdf", content))
