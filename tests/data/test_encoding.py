"""The encoding is told from the bytes, or the file is refused with the place (C44, C45)."""

import gzip

import pytest

from foundry.core.errors import DataError
from foundry.data.encoding import CHUNK_BYTES, detect, first_fault, open_text

ROWS = "instruction,output\n問,答\n"
HARD = "恒春的裏面，粧，嫺，碁，許功蓋，€"  # in cp950 but partly not in big5; three bytes 0x5C


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("utf-8", ROWS.encode("utf-8")),
        ("utf-8-sig", b"\xef\xbb\xbf" + ROWS.encode("utf-8")),
        ("utf-16", b"\xff\xfe" + ROWS.encode("utf-16-le")),
        ("utf-16", b"\xfe\xff" + ROWS.encode("utf-16-be")),
        ("cp950", f"instruction,output\n{HARD},答\n".encode("cp950")),
    ],
)
def test_encoding_is_named_and_no_mark_reaches_the_text(file, name, content):  # C44, C45
    path = file("rows.csv", content)

    with open_text(path) as stream:
        text = stream.read()

    assert detect(path) == name
    assert text.startswith("instruction,output\n")
    assert text.endswith("答\n")


def test_cp950_text_is_read_as_written(file):  # C45
    path = file("rows.txt", HARD.encode("cp950"))

    with open_text(path) as stream:
        assert stream.read() == HARD


def test_text_of_no_encoding_is_refused_by_line_and_byte(file):  # C45
    path = file("rows.csv", "問,答\n好,好\n".encode() + b"\xff\n")

    with pytest.raises(DataError) as error:
        detect(path)

    assert error.value.problems[0].where == f"{path}:3"
    assert "byte 16 (0xFF)" in error.value.problems[0].what


@pytest.mark.parametrize(
    ("text", "encoding", "named"),
    [
        ("instruction,output\n你好吗,我很好\n", "gb18030", "GB2312"),
        ("instruction,output\nel niño mañana,no\n", "cp1252", "Windows-1252"),
        ("instruction,output\nÄrger mit der Größe,nein\n", "cp1252", "Windows-1252"),
    ],
)
def test_bytes_that_cp950_reads_as_other_text_are_refused(file, text, encoding, named):
    content = text.encode(encoding)
    assert content.decode("cp950") != text  # it would be read, and wrongly

    with pytest.raises(DataError, match=named):
        detect(file("rows.csv", content))


def test_mark_that_the_bytes_belie_is_refused(file):
    with pytest.raises(DataError, match="not utf-8-sig"):
        detect(file("rows.csv", b"\xef\xbb\xbf" + HARD.encode("cp950")))


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (gzip.compress(ROWS.encode(), mtime=0), "gzip"),
        (b"PK\x03\x04 and so on", "zip"),
        (ROWS.encode("utf-16-le"), "UTF-16 without"),
    ],
)
def test_file_that_is_no_text_is_refused_by_what_it_is(file, content, what):  # C54
    with pytest.raises(DataError, match=what):
        detect(file("rows.csv", content))


@pytest.mark.parametrize("encoding", ["utf-8", "cp950"])
def test_fault_behind_the_first_piece_has_its_offset(file, encoding):
    whole = "許".encode(encoding)
    before = b"x" * (CHUNK_BYTES - 1) + whole  # the character lies across two pieces
    path = file("rows.csv", before + b"\xff")

    assert first_fault(path, encoding) == len(before)
