"""A Word document gives its tables row by row and its text paragraph by paragraph, none lost."""

import zipfile

import docx
import pytest
from docx.oxml import parse_xml

from foundry.core.blocks import Block
from foundry.core.errors import DataError
from foundry.data import limits
from foundry.data.reading import read
from foundry.data.rows import Bad, Blank, Row
from foundry.data.sources import docx as source

SPACES = (
    'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" '
    'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math" '
    'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
)
RUN = "<w:r><w:t>{}</w:t></w:r>"


@pytest.fixture
def document():
    """An empty document."""
    return docx.Document()


@pytest.fixture
def saved(tmp_path):
    """Saves a document and gives its path."""

    def save(made):
        made.save(tmp_path / "a.docx")
        return tmp_path / "a.docx"

    return save


def add_xml(made, xml):
    """Put an element behind the last paragraph; `w:` and its like may be used."""
    made.element.body.insert(
        len(made.element.body) - 1, parse_xml(xml.replace(">", f" {SPACES}>", 1))
    )


def add_table(made, *rows):
    table = made.add_table(rows=len(rows), cols=len(rows[0]))
    for row, texts in zip(table.rows, rows, strict=True):
        for cell, text in zip(row.cells, texts, strict=True):
            cell.text = text
    return table


def items(path, take="all"):
    return list(read(path, Block(kind="docx", spec=source.Spec(take=take))).items)


def texts(path):
    return [item.values["text"] for item in items(path)]


def test_paragraphs_stand_under_their_heading(document, saved):
    document.add_paragraph("前言")
    document.add_heading("第一章", 1)
    document.add_paragraph("一\t甲\n二")
    document.add_paragraph(" ")

    assert items(saved(document)) == [
        Row(1, {"heading": "", "text": "前言"}),
        Row(3, {"heading": "第一章", "text": "一\t甲\n二"}),
        Blank(4),
    ]


def test_heading_alone_is_not_lost(document, saved):
    document.add_heading("第一章", 1)
    document.add_heading("第二章", 1)

    assert [item.values for item in items(saved(document))] == [
        {"heading": "第一章", "text": ""},
        {"heading": "第二章", "text": ""},
    ]


def test_style_based_on_a_heading_is_one(document, saved):
    style = document.styles.add_style("我的章", 1)
    style.base_style = document.styles["Heading 2"]
    document.add_paragraph("第一章", style="我的章")
    document.add_paragraph("內文")

    assert items(saved(document)) == [Row(2, {"heading": "第一章", "text": "內文"})]


def test_table_with_names_gives_its_rows_by_column(document, saved):
    document.add_paragraph("說明")
    add_table(document, ("問題", "回答"), ("問一", "答一\n第二行"), ("", " "))

    path = saved(document)

    assert read(path).encoding == "1 paragraphs, 1 tables"
    rows = [Row(3, {"問題": "問一", "回答": "答一\n第二行"}), Blank(4)]
    assert items(path) == [Row(1, {"heading": "", "text": "說明"}), *rows]
    assert items(path, "tables") == rows
    assert items(path, "text") == [Row(1, {"heading": "", "text": "說明"})]


@pytest.mark.parametrize("header", [("問題", ""), ("問題", "問題")])
def test_table_without_names_is_text(document, saved, header):
    document.add_heading("表", 1)
    add_table(document, header, ("甲", "乙"))

    assert [item.values for item in items(saved(document))] == [
        {"heading": "表", "text": "\t".join(header)},
        {"heading": "表", "text": "甲\t乙"},
    ]


def test_cell_merged_downwards_counts_for_each_row_and_a_wide_one_is_refused(
    document, saved
):  # C47
    table = add_table(
        document, ("類", "問", "答"), ("退費", "1", "2"), ("", "3", "4"), ("寬", "", "")
    )
    table.cell(1, 0).merge(table.cell(2, 0))
    table.cell(3, 0).merge(table.cell(3, 2))

    first, second, last = items(saved(document))

    assert [row.values["類"].strip() for row in (first, second)] == ["退費", "退費"]
    assert last == Bad(4, "merged", "the cell `寬` is merged over several columns")


@pytest.mark.parametrize(
    ("xml", "text"),
    [
        (
            f"<w:p><w:ins>{RUN.format('加')}</w:ins><w:del><w:r><w:delText>刪</w:delText></w:r></w:del></w:p>",
            "加",
        ),
        (
            f"<w:p><w:moveFrom>{RUN.format('舊')}</w:moveFrom><w:moveTo>{RUN.format('新')}</w:moveTo></w:p>",
            "新",
        ),
        (
            f"<w:p><w:sdt><w:sdtContent>{RUN.format('控制項')}</w:sdtContent></w:sdt></w:p>",
            "控制項",
        ),
        (f"<w:sdt><w:sdtContent><w:p>{RUN.format('整段')}</w:p></w:sdtContent></w:sdt>", "整段"),
        (f"<w:p><w:hyperlink>{RUN.format('連結')}</w:hyperlink></w:p>", "連結"),
        ("<w:p><m:oMath><m:r><m:t>a+b</m:t></m:r></m:oMath></w:p>", "a+b"),
        ('<w:p><w:r><w:t>上</w:t><w:br w:type="page"/><w:t>下</w:t></w:r></w:p>', "上下"),
    ],
)
def test_text_is_found_wherever_word_puts_it(document, saved, xml, text):
    add_xml(document, xml)

    assert texts(saved(document)) == [text]


def test_text_box_comes_once_behind_its_paragraph(document, saved):
    box = f"<w:txbxContent><w:p>{RUN.format('框')}</w:p></w:txbxContent>"
    add_xml(
        document,
        f"<w:p>{RUN.format('段')}<w:r><mc:AlternateContent><mc:Choice>{box}</mc:Choice>"
        f"<mc:Fallback>{box}</mc:Fallback></mc:AlternateContent></w:r></w:p>",
    )

    assert texts(saved(document)) == ["段", "框"]


def test_table_in_a_cell_is_text_of_the_cell(document, saved):
    table = add_table(document, ("問", "答"), ("1", ""))
    inner = table.cell(1, 1).add_table(1, 2)
    inner.cell(0, 0).text, inner.cell(0, 1).text = "甲", "乙"

    assert items(saved(document))[0].values["答"].strip() == "甲\t乙"


def test_broken_document_and_one_that_grows_without_end_are_refused(document, saved, monkeypatch):
    path = saved(document)
    monkeypatch.setattr(limits, "LIMITS", limits.Limits(document_bytes=9))
    with pytest.raises(DataError, match="unpacked it has more than"):
        items(path)
    monkeypatch.undo()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("word/document.xml", "<w:document/>")
    with pytest.raises(DataError, match="the document is broken"):
        items(path)


def test_entities_of_a_document_are_not_expanded(document, saved):
    path = saved(document)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    xml = members["word/document.xml"].decode()
    evil = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
    xml = xml.replace("<w:body>", "<w:body><w:p><w:r><w:t>&b;</w:t></w:r></w:p>", 1)
    head, rest = xml.split("?>", 1)
    members["word/document.xml"] = f"{head}?>{evil}{rest}".encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)

    assert "aaa" not in "".join(str(item) for item in items(path))
