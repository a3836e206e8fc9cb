"""A sheet gives its rows as they display; what cannot be told is refused by cell."""

import io
import zipfile
from datetime import date, datetime, time, timedelta

import openpyxl
import pytest

from foundry.core.blocks import Block
from foundry.core.errors import DataError
from foundry.data import excel_sheets, rows, sheet_header, turns
from foundry.data.reading import read
from foundry.data.rows import Bad, Row
from foundry.data.sources import csv, spreadsheet
from tests.cases import case, change
from tests.data.pasting import pasted
from tests.data.workbooks import edit_sheet, write_workbook
from tests.data.xls_file import CONTENT

SIMPLE = {"A1": "問題", "B1": "回答", "A2": "問", "B2": "答"}


@pytest.fixture
def workbook(tmp_path):
    """Writes a workbook: `workbook({"A1": "q"}, merged=["B1:C1"])`."""
    return lambda cells, **options: write_workbook(tmp_path / "a.xlsx", cells, **options)


def items(path, **spec):
    how = Block(kind="spreadsheet", spec=spreadsheet.Spec(**spec))
    return list(read(path, how).items)


def refused(path, **spec):
    with pytest.raises(DataError) as error:
        items(path, **spec)
    return error.value.problems


MERGED = {
    **{"A1": "客服問答集", "B2": "對話", "A3": "類別", "B3": "問題", "C3": "回答"},
    **{"A4": "退費", "B4": "問一", "C4": "答一", "B5": "問二", "C5": "=1+2"},
    **{"B6": "問三", "C6": "=2+3", "B7": "問四", "C7": "答四"},
}


@case(
    "C47",
    {
        "no merged ranges": change(excel_sheets, "_parsed", lambda stream: ((), {})),
        "blanks take the cell above": change(
            spreadsheet,
            "_filled",
            lambda rows, merges: (
                (n, [c or "退費" for c in cells], None) for n, cells in rows if n > 3
            ),
        ),
        "the first row is the header": change(
            sheet_header, "_is_title", lambda header, rows, merges: False
        ),
        "hidden sheets are read": change(spreadsheet, "_chosen", lambda p, sheets, w: sheets[-1]),
        "a formula is blank": change(excel_sheets, "_is_uncomputed", lambda cell: False),
    },
)
def test_merged_cells_are_filled_by_the_ranges_of_the_file(workbook):
    path = workbook(
        MERGED,
        merged=["A1:C1", "B2:C2", "A4:A6"],
        computed={"C5": "3"},
        sheets={"草稿": "hidden"},
    )

    reading = read(path)

    assert reading.encoding == "sheet 問答, header in row 2-3"
    names = ("類別", "對話/問題", "對話/回答")
    first, second, third, last = reading.items
    assert first == Row(4, dict(zip(names, ("退費", "問一", "答一"), strict=True)))
    assert second == Row(5, dict(zip(names, ("退費", "問二", "3"), strict=True)))
    assert isinstance(third, Bad)
    assert (third.line, third.code) == (6, "formula")
    assert "cell C6 " in third.reason
    assert last == Row(7, dict(zip(names, ("", "問四", "答四"), strict=True)))


NUMBERS = {
    "0912345678": ("0912345678", None),
    "04595257": (4595257, "00000000"),
    "3": (3, None),
    "4": (4.0, None),
    "3.50": (3.5, "0.00"),
    "1.0": ("1.0", None),
    "nan": ("nan", None),
    "2026-01-05": (date(2026, 1, 5), "e/m/d"),
    "2026-01-06": (datetime(2026, 1, 6, 8), "yyyy/m/d"),
    "2026-01-05T13:45:00": (datetime(2026, 1, 5, 13, 45), "yyyy/m/d hh:mm"),
    "13:45:00": (time(13, 45), "hh:mm"),
    "26:30:00": (timedelta(hours=26, minutes=30), "[h]:mm"),
    "TRUE": (True, None),
}


@case(
    "C48",
    {
        "formats are not seen": change(
            excel_sheets, "displayed", lambda value, code: str(float(value))
        ),
        "dates have a time": change(
            excel_sheets, "text_of_moment", lambda value, has_time=True: value.isoformat()
        ),
        "text is read as a number": change(
            rows, "as_text", lambda value, field: str(float(value)) if value[:1] == "0" else value
        ),
    },
)
def test_numbers_and_dates_are_as_written_or_as_displayed(bench, workbook):
    cells = {"A1": "question", "B1": "answer"}
    formats = {}
    for row, (value, code) in enumerate(NUMBERS.values(), start=2):
        cells |= {f"A{row}": f"q{row}", f"B{row}": value}
        formats |= {f"B{row}": code} if code else {}
    workbook(cells, formats=formats)
    lines = "".join(f"t{n},{text}\n" for n, text in enumerate(NUMBERS))
    bench.write("a.csv", f"question,answer\n{lines}")
    bench.write("a.jsonl", [{"question": f"j{n}", "answer": t} for n, t in enumerate(NUMBERS)])

    for source in ("a.xlsx", "a.csv", "a.jsonl"):
        bench.prepare(source)
        assert [example.answer for example in bench.part()] == list(NUMBERS), source


BLANKS = [("問", "答"), ("問2", ""), ("", ""), ("  ", "\u3000"), *[("", "")] * 50]


@case(
    "C50",
    {
        "blank cells are nan": change(
            excel_sheets, "_text", lambda cell: "nan" if cell.value is None else cell.value
        ),
        "blank rows are errors": change(csv, "Blank", lambda line: Bad(line, "blank", "")),
        "blank rows of Excel are rows": change(
            spreadsheet, "Blank", lambda line: Row(line, {"question": "nan", "answer": "nan"})
        ),
        "an empty answer is learned": change(turns, "is_blank", lambda value: False),
    },
)
def test_blank_rows_are_counted_and_an_empty_answer_is_refused(bench, workbook):
    cells = {"A1": "question", "B1": "answer", "C1": "input"}
    for row, (question, answer) in enumerate(BLANKS, start=2):
        cells |= {f"A{row}": question or None, f"B{row}": answer or None}
    # As Excel keeps rows in which only a colour is left.
    workbook(cells, formats={f"A{row}": "0.00" for row in range(2, len(BLANKS) + 2)})
    bench.write("a.csv", "question,answer,input\n" + "".join(f"{q},{a},\n" for q, a in BLANKS))

    for source in ("a.xlsx", "a.csv"):
        form = {"kind": "question-answer", "context": "input"}
        manifest = bench.prepare(source, format=form)
        (example,) = bench.part()
        assert [turn.content for turn in example.messages] == ["問", "答"]
        assert bench.refused() == [(3, "empty-answer")]
        assert (manifest.rows_in, manifest.rows_blank) == (54, 52)
        assert "nan" not in (bench.out / "train.jsonl").read_text(encoding="utf-8")


def test_several_sheets_in_use_are_refused_and_one_can_be_named(workbook):
    path = workbook(SIMPLE, sheets={"別的": "visible", "暗": "hidden"})

    (problem,) = refused(path)

    assert "問答, 別的" in problem.what
    assert problem.fix == "`read: {kind: spreadsheet, sheet: 問答}`"
    assert (
        items(path, sheet="問答") == items(path, sheet=1) == [Row(2, {"問題": "問", "回答": "答"})]
    )
    assert "visible are: 問答, 別的" in refused(path, sheet="問")[0].what


@pytest.mark.parametrize("name", ["2024", "a, b", "2024 # 1", "{x}", "yes", "'", " 問答 "])
def test_fix_can_be_pasted_whatever_the_sheet_is_called(workbook, name):
    path = workbook({"A2": "問題", "B2": "回答", "A3": "問", "B3": "答"})
    book = openpyxl.load_workbook(path)
    book.active.title = name
    book.create_sheet("別的")["A1"] = "x"
    book.save(path)

    (problem,) = refused(path, header=2)

    assert list(read(path, pasted(problem.fix)).items) == [Row(3, {"問題": "問", "回答": "答"})]


def test_empty_sheet_beside_does_not_matter(workbook):
    path = workbook(SIMPLE, sheets={"Sheet2": "visible"})
    edit_sheet(path, 2, lambda xml: xml.replace(b"<is><t>x</t></is>", b""))

    assert len(items(path)) == 1


def test_header_row_that_is_named_is_used(workbook):
    cells = {"A1": "甲", "B1": "乙", "A2": "問題", "B2": "回答", "A3": "問", "B3": "答"}

    assert items(workbook(cells), header=2) == [Row(3, {"問題": "問", "回答": "答"})]
    assert "no row of sheet" in refused(workbook(cells), header=9)[0].what


@pytest.mark.parametrize(
    ("cells", "what"),
    [
        ({"A1": "", "B1": "問題", "C1": "回答", "A2": 0, "B2": "問"}, "column A has no name"),
        ({"A1": "問題", "B1": "問題", "A2": "問"}, "two columns are called `問題`"),
        ({}, "no row of sheet"),
    ],
)
def test_header_must_name_each_column_once(workbook, cells, what):
    assert what in refused(workbook(cells))[0].what


@pytest.mark.parametrize(
    ("cells", "merged", "code"),
    [
        ({"A3": "第二部分"}, ["A3:B3"], "merged"),
        ({"A3": "問", "B3": "=1/0"}, [], "formula"),
        ({"A3": "問題", "B3": "回答"}, [], "header-again"),
    ],
)
def test_row_that_cannot_be_told_is_refused_alone(workbook, cells, merged, code):
    found = items(workbook(SIMPLE | cells | {"A4": "問", "B4": "答"}, merged=merged))

    assert [(i.line, i.code) for i in found if isinstance(i, Bad)] == [(3, code)]
    assert len(found) == 3


def test_text_far_below_in_a_column_without_a_name_refuses_its_row(workbook):
    many = {f"A{n}": "問" for n in range(3, 60)}

    found = items(workbook(SIMPLE | many | {"D55": "多"}))

    bad = [i for i in found if isinstance(i, Bad)]
    assert bad == [Bad(55, "cells", "cell D55 has no name of a column above it")]


def test_error_in_a_cell_is_told_by_the_cell(workbook):
    path = workbook(SIMPLE | {"A3": "問", "B3": "#N/A"})

    assert items(path)[1] == Bad(3, "cell-error", "cell B3 holds the error #N/A")


def test_line_breaks_and_escapes_of_excel_are_text(workbook):
    path = workbook(SIMPLE | {"B2": "一_x000D_\n二_x005F_x000D_"})

    assert items(path)[0].values["回答"] == "一\n二_x000D_"


def test_excel_97_workbook_is_read(file):
    reading = read(file("a.xls", CONTENT))

    assert reading.encoding == "sheet 問答, header in row 2"
    assert [list(row.values.values()) for row in reading.items] == [
        ["退費", "問一", "04595257"],
        ["退費", "問二", "2026-01-05"],
        ["", "問三", "3"],
    ]


def open_document(cell):
    """The smallest .ods file: a header and one row."""
    row = "<table:table-row>{}</table:table-row>"
    text = '<table:table-cell office:value-type="string"><text:p>{}</text:p></table:table-cell>'
    xml = (
        '<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
        'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" '
        'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0">'
        '<office:body><office:spreadsheet><table:table table:name="問答">'
        + row.format(text.format("問題") + text.format("回答"))
        + row.format(text.format("問") + cell)
        + "</table:table></office:spreadsheet></office:body></office:document-content>"
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", xml)
        archive.writestr("META-INF/manifest.xml", "<manifest/>")
    return buffer.getvalue()


def test_open_document_is_read_unless_it_has_merged_cells(file):
    number = '<table:table-cell office:value-type="float" office:value="3"/>'
    merged = number.replace("<table:table-cell", '<table:table-cell table:number-rows-spanned="2"')

    assert items(file("a.ods", open_document(number))) == [Row(2, {"問題": "問", "回答": "3"})]
    assert "merged cells" in refused(file("b.ods", open_document(merged)))[0].what


@pytest.mark.parametrize("cut", [b"<sheetData>", b"<row"])
def test_broken_workbook_is_refused(workbook, cut):
    path = workbook(SIMPLE)
    edit_sheet(path, 1, lambda xml: xml[: xml.index(cut) + len(cut)])

    assert "the workbook is broken" in refused(path)[0].what
