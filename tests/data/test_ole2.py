"""What is in an OLE2 file is known from its directory, wherever that lies."""

import tracemalloc

import pytest

from foundry.data.ole2 import names
from foundry.data.signatures import signature
from tests.data.ole2_file import MAGIC, ole2
from tests.data.xls_file import CONTENT

STREAMS = ("\x05SummaryInformation", "1Table", "ObjectPool", "Data", "WordDocument")


@pytest.mark.parametrize("before", [0, 1, 127, 128, 500, 14_000])
def test_directory_is_read_wherever_it_lies(file, before):
    path = file("a.doc", ole2(*STREAMS, before=before))

    assert names(path) == {"Root Entry", *STREAMS}
    assert signature(path) == "doc"


def test_workbook_of_excel_is_known(file):
    assert "Workbook" in names(file("a.xls", CONTENT))
    assert signature(file("a.xls", CONTENT)) == "spreadsheet"


def test_name_in_the_content_says_nothing(file):
    text = "WordDocument\0".encode("utf-16-le")

    assert signature(file("a.xls", ole2("Workbook", before=9) + text)) == "spreadsheet"


def test_large_file_is_not_read_whole(file):
    path = file("a.xls", ole2("Workbook", before=13_000))

    tracemalloc.start()
    try:
        assert signature(path) == "spreadsheet"
        _now, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert path.stat().st_size > 6_000_000
    assert most < 200_000


@pytest.mark.parametrize("size", [8, 300, 511, 512, 600, 1100])
def test_file_that_is_cut_off_has_no_names_or_the_first_ones(file, size):
    path = file("a.xls", ole2(*STREAMS)[:size])

    assert names(path) < {"Root Entry", *STREAMS}


def test_table_that_leads_in_a_circle_ends(file):
    content = bytearray(ole2(*STREAMS))
    content[512 + 1024 : 512 + 1024 + 8] = (1).to_bytes(4, "little") + bytes(4)

    assert "WordDocument" in names(file("a.doc", bytes(content)))


def test_what_is_no_ole2_file_has_no_names(file):
    assert names(file("a.xls", MAGIC * 200)) == set()
