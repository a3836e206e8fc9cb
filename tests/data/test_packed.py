"""What is packed is unpacked up to a limit, and refused with a message beyond it (C54)."""

import gzip
import zipfile

import pytest

from foundry.core.errors import DataError
from foundry.data import limits
from foundry.data.packed import check_document, unpack
from foundry.data.reading import read


def test_packed_file_loses_its_suffix_and_nothing_else(file, tmp_path):
    path = file("rows.jsonl.gz", gzip.compress(b"a\r\n" * 10))

    assert unpack(path, tmp_path) == tmp_path / "rows.jsonl"
    assert (tmp_path / "rows.jsonl").read_bytes() == b"a\r\n" * 10


def test_two_packed_files_joined_are_both_unpacked(file, tmp_path):
    path = file("rows.gz", gzip.compress(b"a\n") + gzip.compress(b"b\n"))

    assert unpack(path, tmp_path).read_bytes() == b"a\nb\n"


@pytest.mark.parametrize("cut", [-1, -9, -30])
def test_file_that_is_cut_off_is_refused(file, tmp_path, cut):
    path = file("rows.gz", gzip.compress(bytes(range(256)) * 9)[:cut])

    with pytest.raises(DataError, match="broken or cut off"):
        unpack(path, tmp_path)


def test_size_that_is_too_large_is_refused_whatever_the_ratio(file, tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "LIMITS", limits.Limits(size_bytes=1000))

    with pytest.raises(DataError, match="more than 1,000 bytes"):
        unpack(file("rows.gz", gzip.compress(b"a" * 1001)), tmp_path)


def test_rows_that_all_say_the_same_are_no_bomb(file, tmp_path):
    path = file("rows.csv.gz", gzip.compress("同一問題,同一答案\n".encode() * 3_000_000))

    assert unpack(path, tmp_path).stat().st_size > limits.LIMITS.small_bytes


def test_document_that_grows_without_end_is_refused(tmp_path):
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", bytes(limits.LIMITS.small_bytes + 1))

    with pytest.raises(DataError, match="no text that anyone wrote"):
        check_document(path)


@pytest.mark.parametrize("name", ["xl/workbook.xml", "word/document.xml"])
@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_document_whose_bytes_are_damaged_is_refused(tmp_path, name, compression):
    path = tmp_path / "a"
    with zipfile.ZipFile(path, "w", compression) as archive:
        for member in ("[Content_Types].xml", name):
            archive.writestr(member, bytes(range(256)) * 100)
    content = path.read_bytes()
    begin = content.index(b"[Content_Types].xml") + len("[Content_Types].xml") + 10
    path.write_bytes(content[:begin] + b"\xff" * 40 + content[begin + 40 :])

    with pytest.raises(DataError, match="is broken"):
        list(read(path).items)


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_open_document_whose_bytes_are_damaged_is_refused(tmp_path, compression):
    path = tmp_path / "a.ods"
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("mimetype", b"application/vnd.oasis.opendocument.spreadsheet" * 9)
    content = path.read_bytes()
    begin = content.index(b"mimetype") + len("mimetype") + 10
    path.write_bytes(content[:begin] + b"\xff" * 20 + content[begin + 20 :])

    with pytest.raises(DataError, match="broken or cut off"):
        read(path)
