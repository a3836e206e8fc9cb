"""One door to every file: packed or not, and what is not there is told with what is."""

import gc
import gzip
import io
import tempfile
import zipfile

import pytest

from foundry.core import plugins
from foundry.core.blocks import Block
from foundry.core.errors import DataError, Problem, ResourceError
from foundry.data import encoding
from foundry.data.reading import read, told_of
from foundry.data.rows import Row
from foundry.data.sources import csv
from tests.data.ole2_file import MAGIC, ole2
from tests.data.pdf_file import pdf


def zipped():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a", "")
    return buffer.getvalue()


def given(kind):
    """What a recipe says with `read: {kind: …}`."""
    return Block(kind=kind, spec=plugins.load("source", kind).Spec())


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """The folder for scratch files, with nothing in it."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_kind_that_is_given_is_used(file):
    reading = read(file("rows.txt", "q,a\n問,答\n"), Block(kind="csv", spec=csv.Spec()))

    assert [item.values for item in reading.items] == [{"q": "問", "a": "答"}]


@pytest.mark.parametrize("kind", ["docx", "spreadsheet", "parquet", "sqlite"])
@pytest.mark.parametrize(
    "content", [b"not a zip", b"", b"PAR", b"%PDF-1.7", gzip.compress(b"x", mtime=0)], ids=ascii
)
def test_file_that_is_not_of_the_kind_that_is_given_is_refused(file, kind, content):
    path = file("a.docx", content)

    with pytest.raises(DataError, match=f"not of the kind `{kind}`") as error:
        list(read(path, given(kind)).items)

    (problem,) = error.value.problems
    assert problem.where == str(path)
    assert problem.fix == "leave `read` out"


def test_what_leaving_the_kind_out_does_not_help_is_told_at_once(file):
    path = file("a.doc", ole2("WordDocument"))

    with pytest.raises(DataError, match="a Word 97-2003 document") as error:
        read(path, given("docx"))

    assert error.value.problems[0].fix == "save it as .docx in Word"


@pytest.mark.parametrize(
    ("kind", "content"),
    [("docx", zipped()), ("spreadsheet", zipped()), ("spreadsheet", MAGIC * 200)],
)
def test_document_without_the_usual_parts_is_left_to_its_library(file, kind, content):
    with pytest.raises(DataError, match="is broken"):
        list(read(file("a", content), given(kind)).items)


def test_pdf_file_with_bytes_in_front_is_left_to_its_library(file):
    path = file("a.pdf", b"HTTP/1.1 200 OK\r\n\r\n" + pdf(["問"]))

    assert read(path, given("pdf")).kind == "pdf"


def test_no_two_kinds_share_a_suffix():
    suffixes = [
        s for kind in plugins.names("source") for s in plugins.load("source", kind).SUFFIXES
    ]

    assert len(suffixes) >= 5
    assert len(suffixes) == len(set(suffixes))


def test_packed_file_is_read_as_what_is_in_it(file):  # C54
    path = file("rows.csv.gz", gzip.compress("q,a\n問,答\n".encode("utf-16")))

    reading = read(path)

    assert (reading.kind, reading.encoding) == ("csv", "utf-16, gzip")
    assert list(reading.items) == [Row(2, {"q": "問", "a": "答"})]


def test_packed_file_may_have_any_name(file):
    path = file("rows.csv", gzip.compress(b"q,a\n1,2\n"))

    assert list(read(path).items) == [Row(2, {"q": "1", "a": "2"})]


def test_fault_in_a_packed_file_is_told_of_the_file_itself(file):
    path = file("rows.jsonl.gz", gzip.compress(b'[{"q": "a"},\n{"q" "b"}]'))

    with pytest.raises(DataError) as error:
        list(read(path).items)

    assert error.value.problems[0].where == f"{path}:2:6"


def test_fix_for_a_packed_file_names_what_the_person_has(file, scratch):
    path = file("rows.csv.xz.gz", gzip.compress(b"\xfd7zXZ\0" + b"\0" * 20))

    with pytest.raises(DataError, match="packed with xz") as error:
        read(path)

    (problem,) = error.value.problems
    assert problem.where == str(path)
    assert problem.fix == f"unpack {path} first; then unpack it: unxz -k rows.csv.xz"
    assert str(scratch) not in str(error.value)


def test_package_that_a_packed_file_needs_is_told_of_the_file_itself(tmp_path):
    plain, path = tmp_path / "rows.parquet", tmp_path / "rows.parquet.gz"

    with pytest.raises(ResourceError) as error, told_of(path, plain):
        raise ResourceError(Problem(str(plain), f"{plain} needs a package", "pip install it"))

    (problem,) = error.value.problems
    assert problem == Problem(str(path), f"{path} needs a package", "pip install it")


@pytest.mark.parametrize("taken", ["all", "one", "none", "refused"])
def test_nothing_unpacked_is_left_behind(file, scratch, taken):
    content = b"\xff\xff" if taken == "refused" else b'{"q": "a"}\n' * 3
    path = file("rows.jsonl.gz", gzip.compress(content))

    if taken == "refused":
        with pytest.raises(DataError):
            read(path)
    else:
        items = read(path).items
        assert list(scratch.iterdir())
        list(items) if taken == "all" else next(items) if taken == "one" else None
        del items
        gc.collect()

    assert list(scratch.iterdir()) == []


def test_missing_file_names_the_nearest(file):
    path = file("train.csv", "q,a\n")

    with pytest.raises(ResourceError) as error:
        read(path.with_name("trian.csv"))

    assert str(path) in (error.value.problems[0].fix or "")


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(ResourceError, match=r"the folder .*nowhere does not exist"):
        read(tmp_path / "nowhere" / "train.csv")


def test_folder_in_place_of_a_file_is_refused(tmp_path):
    with pytest.raises(ResourceError, match="is a folder"):
        read(tmp_path)


@pytest.mark.parametrize("name", ["a.csv", "a.txt", "a.jsonl", "a.json", "a.dat", "squad"])
def test_encoding_of_a_text_is_looked_for_once(file, name, monkeypatch):
    tries = []
    first_fault = encoding.first_fault
    monkeypatch.setattr(
        encoding, "first_fault", lambda *given: (tries.append(given), first_fault(*given))[1]
    )
    row = '{"data": [{"paragraphs": [{"context": "文", "qas": []}]}]}\n'
    path = file(name, "q,a\n問,答\n" if name in ("a.csv", "a.txt", "a.dat") else row)

    list(read(path).items)

    assert tries == [(path, "utf-8")]


def test_text_that_was_changed_is_looked_at_again(file):
    assert read(file("a.csv", "q,a\n問,答\n")).encoding == "utf-8"
    assert read(file("a.csv", "q,a\n問,答\n".encode("utf-16"))).encoding == "utf-16"


def test_document_is_taken_apart_once(file, monkeypatch):
    import docx

    opened = []
    library = docx.Document
    monkeypatch.setattr(docx, "Document", lambda *given: (opened.append(given), library(*given))[1])
    stream = io.BytesIO()
    document = library()
    document.add_paragraph("段")
    document.save(stream)
    path = file("a.docx", stream.getvalue())

    assert [item.values["text"] for item in read(path).items] == ["段"]
    assert opened == [(str(path),)]
