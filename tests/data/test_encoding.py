"""The encoding is told from the bytes, or the file is refused with place and candidates."""

import pytest
from pydantic import ValidationError

from foundry.core.errors import DataError
from foundry.data import chinese_text, decoding, encoding
from foundry.data.decoding import CHUNK_BYTES, first_fault
from foundry.data.encoding import TextSpec, decide, open_text
from foundry.data.reading import read
from foundry.data.rows import Row
from foundry.data.sources import csv
from tests.cases import case, change

ROWS = "instruction,output\n問,答\n"
HARD = "恒春的裏面，粧，嫺，碁，許功蓋，€"  # in cp950 but partly not in big5; three bytes 0x5C
SENTENCE = "請問這個商品的保固期有多久？"
SIMPLIFIED = "请问这个商品的保修期有多长时间？"


def decided(path, name="auto"):
    return decide(path, TextSpec(encoding=name), "csv")


def problem(path, name="auto"):
    with pytest.raises(DataError) as error:
        decided(path, name)
    return error.value.problems[0]


def rows(path):
    return list(read(path).items)


MARKED = {
    "utf-8-sig": b"\xef\xbb\xbf" + ROWS.encode(),
    "utf-16": b"\xff\xfe" + ROWS.encode("utf-16-le"),
    "utf-16 of the other order": b"\xfe\xff" + ROWS.encode("utf-16-be"),
    "utf-32": ROWS.encode("utf-32"),
}
JSON_ROW = '{"instruction": "問", "output": "答"}\n'


@case(
    "C44",
    {
        "marks are not known": change(encoding, "BYTE_ORDER_MARKS", ()),
        "marks of joined files stay": change(csv, "BYTE_ORDER_MARK", "\0"),
    },
)
def test_mark_is_no_text_wherever_it_stands(file):
    for name, content in MARKED.items():
        path = file("a.csv", content)
        assert rows(path) == [Row(2, {"instruction": "問", "output": "答"})]
        assert read(path).encoding == name.split()[0]
    for codec in ("utf-8-sig", "utf-16"):
        path = file("a.jsonl", JSON_ROW.encode(codec) * 2)
        assert [row.values for row in rows(path)] == [{"instruction": "問", "output": "答"}] * 2
    joined = file("joined.csv", MARKED["utf-8-sig"] + b"\xef\xbb\xbf" + "問二,答二\n".encode())
    assert [row.values["instruction"] for row in rows(joined)] == ["問", "問二"]


@case(
    "C45",
    {
        "read as big5": change(chinese_text, "recognise", lambda path, fault, kind: ("big5", None)),
        "what does not fit is dropped": change(
            encoding, "open_text", lambda path, name: path.open(encoding="utf-8", errors="ignore")
        ),
        "chardet alone": change(chinese_text, "reads", lambda path, name: name == "gb18030"),
        "any encoding fits": change(encoding, "first_fault", lambda path, name: None),
    },
)
def test_cp950_is_read_as_written_and_a_wrong_encoding_is_told(file):
    path = file("a.csv", f'instruction,output\n"{HARD}",答\n'.encode("cp950"))

    assert rows(path) == [Row(2, {"instruction": HARD, "output": "答"})]
    assert read(path).encoding == "cp950"
    for name, offset in (("utf-8", 20), ("big5", 20)):
        wrong = problem(path, name)
        assert wrong.where == f"{path}:2"
        assert f"byte {offset} " in wrong.what


@pytest.mark.parametrize("order", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(
    "text", [ROWS, "問題,回答\n一,二\n", '[{"q": "一"}]', f"q,a\n{SENTENCE * 50},一\n"]
)
def test_utf16_without_a_mark_is_known_by_its_line_ends(file, text, order):
    path = file("rows.csv", text.encode(order))

    assert decided(path).name == order
    with open_text(path, order) as stream:
        assert stream.read() == text


@pytest.mark.parametrize("text", [SENTENCE, SENTENCE * 5_000, f"q,a\n{'x' * 99_999}\n{SENTENCE}"])
def test_cp950_is_certain_however_long_the_file(file, text):
    assert str(decided(file("rows.txt", text.encode("cp950")))) == "cp950"


@pytest.mark.parametrize("text", [SIMPLIFIED, SENTENCE, f"{SENTENCE}😀"])
def test_gb18030_is_told_with_its_confidence(file, text):
    found = decided(file("rows.txt", text.encode("gb18030")))

    assert found.name == "gb18030"
    assert str(found) == f"gb18030 (confidence {found.confidence:.2f})"
    assert 0.5 < found.confidence < 1


@pytest.mark.parametrize(
    ("text", "codec", "named"),
    [
        ("instruction,output\nel niño mañana,no\n", "cp1252", ["cp1252"]),
        ("instruction,output\nÄrger mit der Größe,nein\n", "cp1252", ["cp1252"]),
        ("instruction,output\n問,答\n", "cp950", ["gb18030", "cp950"]),
        ("q,a\nこんにちは世界、日本語のテスト,はい\n", "cp932", ["cp932"]),
        ("q,a\n안녕하세요 세계 여러분,한국어\n", "cp949", ["cp949"]),
    ],
)
def test_file_that_could_be_two_things_is_refused_with_both(file, text, codec, named):
    path = file("rows.csv", text.encode(codec))

    found = problem(path)

    assert found.where == f"{path}:2"
    assert all(name in found.what for name in named)
    assert "`read: {kind: csv, encoding: " in found.fix


def test_encoding_that_the_recipe_names_is_used(file):
    path = file("rows.csv", ROWS.encode("cp950"))  # too short to be told, see above

    with open_text(path, decided(path, "cp950").name) as stream:
        assert stream.read() == ROWS


@pytest.mark.parametrize("name", ["utf-8", "UTF8", "utf-8-sig"])
def test_named_encoding_does_not_bring_a_mark_back(file, name):
    assert decided(file("a.csv", MARKED["utf-8-sig"]), name).name == "utf-8-sig"


@pytest.mark.parametrize("name", ["cp590", "hex", "utf-9", ""])
def test_unknown_encoding_is_refused_with_those_often_meant(name):
    with pytest.raises(ValidationError, match=r"unknown encoding.*cp950"):
        TextSpec(encoding=name)


@pytest.mark.parametrize(
    ("content", "line", "what"),
    [
        ("問,答\n好,好\n".encode() + b"\xff\n", 3, "UTF-8 but for byte 16 (0xFF)"),
        (f"q,a\n{SENTENCE},".encode("cp950") + b"\xfa\x41\n", 2, "cp950 (Big5) but for byte 33"),
        (b"\x00\x01\x02\x03" * 9, 0, "it is no text"),
        (b"q,a\n\x80\xff\x81 \xff\xff,b\n", 2, "byte 4 (0x80)"),
        (b"\xef\xbb\xbf" + HARD.encode("cp950"), 1, "not utf-8-sig"),
    ],
)
def test_damaged_text_is_refused_by_line_and_byte(file, content, line, what):
    path = file("rows.csv", content)

    found = problem(path)

    assert found.where == (f"{path}:{line}" if line else str(path))
    assert what in found.what


@pytest.mark.parametrize("codec", ["utf-8", "cp950"])
def test_fault_behind_the_first_piece_has_its_offset_and_line(file, codec):
    whole = "許".encode(codec)
    before = b"\n" + b"x" * (CHUNK_BYTES - 2) + whole  # the character lies across two pieces
    path = file("rows.csv", before + b"\n\xff")

    assert first_fault(path, codec) == (len(before) + 1, 3)


def test_line_of_a_fault_is_counted_in_characters_of_the_encoding(file):
    text = "\u0a0a一\n" * 3  # bytes 0A that are no line end
    path = file("rows.csv", text.encode("utf-16-le") + b"\x00\xd8\x00\x00")

    assert decoding.first_fault(path, "utf-16-le") == (len(text) * 2, 4)
