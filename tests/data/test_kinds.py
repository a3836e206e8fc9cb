"""What a file is, its content says; its name only where the content cannot (C54)."""

import gzip
import io
import json
import tempfile
import zipfile

import pytest

from foundry.core.errors import DataError
from foundry.data import encoding, json_rows, kinds, limits, reading
from foundry.data.kinds import kind_of
from foundry.data.reading import read
from foundry.data.rows import Bad, Blank
from tests.cases import case, change
from tests.data.ole2_file import ole2

ROWS = [{"q": f"問題{n}，恒春的裏面有碁？", "a": "答案\n好"} for n in range(3)]
LINES = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS)
ARRAY = json.dumps(ROWS, ensure_ascii=False)
SHAPES = {
    "array.jsonl": ARRAY,
    "lines.json": LINES,
    "pretty.json": "\n".join(json.dumps(row, indent=2, ensure_ascii=False) for row in ROWS),
    "lines.jsonl.gz": LINES,
    "windows.jsonl": LINES.replace("\n", "\r\n"),
    "open-end.jsonl": LINES.rstrip("\n"),
    "nested.json": json.dumps({"data": ROWS}, ensure_ascii=False),
    "two-arrays.json": f"{ARRAY}\n{ARRAY}\n",
}
CODECS = (
    *("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp950"),
    *("gb18030", "big5hkscs", "cp1252"),
)
BOMB_PIECE = gzip.compress(bytes(1 << 26))  # 64 MiB in 65 kB


def values(path):
    return [item.values for item in read(path).items]


def packed_as(name, content):
    return gzip.compress(content) if name.endswith(".gz") else content


line_item = json_rows._line_item


def let_go(decoder, line, number):
    item = line_item(decoder, line, number)
    return Blank(number) if isinstance(item, Bad) else item


@case(
    "C54",
    {
        "the name decides": change(kinds, "JSON", kinds.re.compile(b"never")),
        "no wrapper": change(json_rows, "WRAPPER_KEY", "rows"),
        "line ends are kept": change(
            encoding, "open_text", lambda path, codec: path.open(encoding=codec, newline="")
        ),
        "no unpacking": change(reading, "signature", lambda path: None),
        "no limit": change(limits, "LIMITS", limits.Limits(1 << 28, ratio=10_000)),
        "the last line is let go": change(json_rows, "_line_item", let_go),
    },
)
def test_shape_of_the_file_does_not_matter(file, tmp_path, monkeypatch):
    *good, two = SHAPES
    for name in good:
        assert values(file(name, packed_as(name, SHAPES[name].encode()))) == ROWS
    assert values(file("a.csv", 'q,a\r\n"一\r\n二",三\r\n')) == [{"q": "一\n二", "a": "三"}]
    assert values(file("lines.csv", LINES)) == values(file("lines", LINES)) == ROWS
    with pytest.raises(DataError, match="one list") as error:
        values(file(two, SHAPES[two]))
    assert error.value.problems[0].where.endswith(f"{two}:2:1")
    *rows, last = read(file("cut.jsonl", LINES[:-9])).items
    assert len(rows) == 2
    assert isinstance(last, Bad)
    assert last.line == 3 and "cut off" in last.reason

    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    with pytest.raises(DataError, match="no text that anyone wrote"):
        read(file("bomb.jsonl.gz", BOMB_PIECE * 160))
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("codec", CODECS)
def test_nine_encodings_and_eight_shapes_give_the_same_rows_or_a_place(file, codec, shape):
    """# C44, C45, C54: of 72 files each is read right or refused with a place and candidates."""
    other = {"cp1252": ("問題", "niño"), "big5hkscs": ("碁", "啲")}.get(codec, ("", ""))
    content = SHAPES[shape].replace(*other).encode(codec, "ignore")
    path = file(shape, packed_as(shape, content))

    try:
        found = values(path)
    except DataError as error:
        (problem,) = error.problems
        assert problem.where.startswith(str(path))
        if shape != "two-arrays.json":
            assert codec in ("cp1252", "big5hkscs")
            assert "encoding: " in problem.fix
            assert codec in problem.what + problem.fix
        return

    assert found == ROWS
    assert codec not in ("cp1252", "big5hkscs")


def zipped(**members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("_", "/"), content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.csv", "q,a\n1,2\n", "csv"),
        ("a.TSV", "q\ta\n1\t2\n", "csv"),
        ("a.txt", "q,a\n1,2\n", "txt"),
        ("a.txt", "[1] a note\n", "txt"),
        ("a.txt", '[{"q": "a"}]', "json"),
        ("a.csv", '\ufeff\n{"q": "a"}', "json"),
        ("a.ndjson", '{"q": "a"}\n', "jsonl"),
        ("a.xls", "q\ta\n1\t2\n3\t4\n", "csv"),
        ("a.dat", "q,a\n1,2\n", "csv"),
        ("a.csv", "", "csv"),
        ("a.json", "PAR1 and so on", "parquet"),
        ("a.csv", "%PDF-1.7", "pdf"),
        ("a", "SQLite format 3\0", "sqlite"),
    ],
)
def test_content_decides_and_then_the_name(file, name, content, kind):
    assert kind_of(file(name, content)) == kind


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (zipped(xl_workbook_xml="", a="").replace(b"workbook/xml", b"workbook.xml"), "spreadsheet"),
        (zipped(word_document_xml="").replace(b"document/xml", b"document.xml"), "docx"),
        (
            zipped(mimetype="application/vnd.oasis.opendocument.spreadsheet", content=""),
            "spreadsheet",
        ),
        (ole2("Workbook"), "spreadsheet"),
    ],
)
def test_document_is_known_by_what_is_in_it(file, content, kind):
    assert kind_of(file("a.csv", content)) == kind


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("a.csv", zipped(a="1"), "a zip archive"),
        ("a.csv", b"PK\x03\x04 and so on", "broken or cut off"),
        ("a.csv.gz", gzip.compress(gzip.compress(b"q,a\n", mtime=0), mtime=0), "gzip twice"),
        ("a.csv", b"BZh91AY&SY", "bzip2"),
        ("a.txt", b"{\\rtf1 }", "RTF"),
        ("a.doc", ole2("WordDocument"), "Word"),
        ("a.xls", b"<html><table><tr><td>1", "web page"),
        ("a.dat", b"q\nsome words\n", "neither its content nor its suffix"),
        ("a.dat", b"q,a\n1,2,3\n", "neither its content nor its suffix"),
        ("a.json", b"question,answer\n1,2\n", "not JSON"),
    ],
)
def test_what_cannot_be_read_is_refused_by_what_it_is(file, name, content, what):
    path = file(name, content)

    with pytest.raises(DataError, match=what) as error:
        list(read(path).items)

    assert error.value.problems[0].where.startswith(str(path))


def test_json_that_holds_no_rows_is_told_with_a_row(file):
    with pytest.raises(DataError, match="not JSON") as error:
        list(read(file("a.json", "question,answer\n1,2\n")).items)

    assert error.value.problems[0].fix == (
        'write each row as an object, such as {"question": "…", "answer": "…"}'
    )


def test_kinds_are_listed_where_none_is_told(file):
    with pytest.raises(DataError) as error:
        read(file("rows.dat", "one\n"))

    assert "csv, json, jsonl" in (error.value.problems[0].fix or "")
