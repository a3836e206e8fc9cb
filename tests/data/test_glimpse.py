"""The first rows of a file are seen as a run would read them, and no more is read."""

import json
from pathlib import Path

import pytest

from foundry.core.blocks import Block
from foundry.core.errors import DataError, ResourceError
from foundry.data.formats import auto, question_answer
from foundry.data.glimpse import SAMPLE_ITEMS, Glimpse, glimpse
from foundry.data.places import Found

AUTO = Block(kind="auto", spec=auto.Spec())


def look(path: Path, format: Block = AUTO) -> Glimpse:
    return glimpse(Found(path.name, path, path), format)


@pytest.fixture
def rows(tmp_path: Path):
    """Write a table of questions and answers."""

    def run(*lines: str) -> Path:
        path = tmp_path / "faq.csv"
        path.write_text("\n".join(["問題,回答", *lines]) + "\n", encoding="utf-8")
        return path

    return run


def test_kind_encoding_and_format_are_told(rows):
    seen = look(rows("多少錢？,三百元。"))

    assert (seen.kind, seen.encoding, seen.columns) == ("csv", "utf-8", ("問題", "回答"))
    assert seen.format.model_dump()["question"] == "問題"
    assert seen.guessed


def test_format_of_the_recipe_is_not_guessed(rows):
    spec = question_answer.Spec(question="回答", answer="問題")

    seen = look(rows("多少錢？,三百元。"), Block(kind="question-answer", spec=spec))

    assert not seen.guessed
    assert seen.examples[0].answer == "多少錢？"


def test_first_rows_become_examples_with_their_lines(rows):
    seen = look(rows("一？,1", "", "二？,2", "三？,3", "四？,4"))

    assert [(e.source, e.line, e.answer) for e in seen.examples] == [
        *(("faq.csv", 2, "1"), ("faq.csv", 4, "2"), ("faq.csv", 5, "3")),
    ]
    assert (seen.rows, seen.is_whole) == (4, True)


def test_row_that_cannot_be_used_is_told_with_its_line(rows):
    seen = look(rows("一？,1", "二？,", "三？,3,3", "四？,4"))

    assert [e.line for e in seen.examples] == [2]
    assert [(r.line, r.code) for r in seen.refused] == [(3, "empty-answer"), (4, "cells")]


def test_no_more_is_read_than_is_needed(tmp_path):
    path = tmp_path / "long.jsonl"
    line = json.dumps({"question": "a", "answer": "b"}) + "\n"
    path.write_text(line * SAMPLE_ITEMS + "not JSON at all\n" * 10, encoding="utf-8")

    seen = look(path)

    assert (seen.rows, seen.is_whole) == (SAMPLE_ITEMS, False)


def test_rows_that_leave_a_doubt_are_refused_with_what_to_write(tmp_path):
    path = tmp_path / "odd.csv"
    path.write_text("甲,乙\n1,2\n", encoding="utf-8")

    with pytest.raises(DataError, match="no format is certain"):
        look(path)


def test_missing_file_is_told(tmp_path):
    with pytest.raises(ResourceError):
        look(tmp_path / "a.csv")


def test_file_without_rows_is_told(rows):
    with pytest.raises(DataError, match="the file has no rows") as error:
        look(rows(""))

    assert error.value.problems[0].fix == "put rows into it, or take it out of the recipe"


def test_what_a_person_should_look_at_is_told_once(rows):
    seen = look(rows("誰？,我是{{name}}。", "你是誰？,{{name}}。"))

    assert seen.notices == {"placeholder": "faq.csv:2: {{name}}"}


def test_table_has_the_same_columns_in_each_row(rows, tmp_path):
    path = tmp_path / "mixed.jsonl"
    path.write_text(
        '{"question": "a", "answer": "b"}\n{"question": "a", "answer": "b", "id": "c"}\n',
        encoding="utf-8",
    )

    assert look(rows("一？,1")).is_table
    assert not look(path).is_table
