"""A CSV cell arrives as written, and a row is known by the line on which it begins."""

import pytest

from foundry.core.blocks import Block
from foundry.core.errors import DataError
from foundry.data.reading import read
from foundry.data.rows import Bad, Blank, Row
from foundry.data.sources import csv


def rows(path):
    return list(read(path, Block(kind="csv", spec=csv.Spec())).items)


@pytest.mark.parametrize(
    "cell", ["0912345678", "04595257", "1.0", "nan", "NULL", "2026-01-05", "3"]
)
def test_cell_is_not_interpreted(file, cell):  # C48, C50
    path = file("a.csv", f"question,answer\n問,{cell}\n")

    assert rows(path) == [Row(2, {"question": "問", "answer": cell})]


def test_line_is_where_the_row_begins(file):
    path = file("a.csv", 'question,answer\n"一\n\n二",答\n問,答\n')

    assert rows(path) == [
        Row(2, {"question": "一\n\n二", "answer": "答"}),
        Row(5, {"question": "問", "answer": "答"}),
    ]


def test_windows_line_ends_leave_nothing_in_the_values(file):  # C54
    path = file("a.csv", b'question,answer\r\n"a\r\nb",c\r\n')

    assert rows(path) == [Row(2, {"question": "a\nb", "answer": "c"})]


def test_file_without_a_final_line_end_is_whole(file):  # C54
    assert rows(file("a.csv", "q,a\n問,答")) == [Row(2, {"q": "問", "a": "答"})]


def test_mark_in_the_middle_of_the_file_is_no_text(file):  # C44
    path = file("a.csv", '\ufeffinstruction,output\n\ufeff"問，a",答\n')

    assert rows(path) == [Row(2, {"instruction": "問，a", "output": "答"})]


def test_repeated_header_of_joined_files_is_no_row(file):  # C44
    path = file("a.csv", "\ufeffq,a\n問,答\n\ufeffq,a\n問二,答二\n")

    assert rows(path)[1] == Bad(3, "header-again", "the header is repeated")


def test_empty_rows_are_blank_with_or_without_cells(file):  # C50
    path = file("a.csv", "q,a\n\n,\n  ,\u3000\n,,,\n問,答\n")

    assert rows(path) == [*(Blank(n) for n in (2, 3, 4, 5)), Row(6, {"q": "問", "a": "答"})]


@pytest.mark.parametrize(("line", "found"), [("a,b,c", 3), ("a", 1)])
def test_row_with_other_cells_than_the_header_is_refused(file, line, found):
    path = file("a.csv", f"q,a\n{line}\n問,答\n")

    assert rows(path)[0] == Bad(2, "cells", f"{found} cells, but the header has 2")


def test_nul_in_a_cell_refuses_its_row_alone(file):  # C60
    path = file("a.csv", "q,a\n問\0,答\n問,答\n")

    assert [type(row) for row in rows(path)] == [Bad, Row]
    assert rows(path)[0].code == "nul"


def test_open_quote_is_refused_where_its_row_begins(file):
    path = file("a.csv", 'q,a\n問,答\n問,"答\n問,答\n')

    with pytest.raises(DataError) as error:
        rows(path)

    assert error.value.problems[0].where == f"{path}:3"
    assert "no closing one" in error.value.problems[0].what


def test_every_quote_out_of_place_is_told(file):
    path = file("a.csv", 'q,a\n"他說"好"",答\n問,答\n"她說"好"",答\n')

    with pytest.raises(DataError) as error:
        rows(path)

    assert [p.where for p in error.value.problems] == [f"{path}:2", f"{path}:4"]


@pytest.mark.parametrize(
    ("header", "what"), [("q,a,q", "two columns are called `q`"), ("q,a,", "column 3 has no name")]
)
def test_header_must_name_each_column_once(file, header, what):
    with pytest.raises(DataError, match=what):
        rows(file("a.csv", f"{header}\n1,2,3\n"))


def test_empty_file_is_refused(file):
    with pytest.raises(DataError, match="the file is empty"):
        rows(file("a.csv", ""))


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiter_is_seen_in_the_header(file, delimiter):
    path = file("a.csv", f'"q, or so"{delimiter}a{delimiter}b\n1{delimiter}2{delimiter}3\n')

    assert rows(path) == [Row(2, {"q, or so": "1", "a": "2", "b": "3"})]


def test_delimiter_that_is_set_is_used(file):
    path = file("a.csv", "q;or,a;b,c\n1,2,3\n")

    (row,) = csv.open(path, csv.Spec(delimiter=","))

    assert row == Row(2, {"q;or": "1", "a;b": "2", "c": "3"})


def test_long_cell_is_read(file):  # the csv module's own limit is 131,072 characters
    path = file("a.csv", f"q,a\n{'長' * 200_000},答\n")

    assert len(rows(path)[0].values["q"]) == 200_000
