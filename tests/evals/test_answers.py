"""Answers survive a kill at any byte, and are never taken for another model's."""

import pytest

from foundry.core.errors import DataError
from foundry.evals.answers import Answer, append_answer, load_answers, resume_answers

FIRST = Answer("a", "一般宅配運費95元。\n👍", 9, stopped=True)
SECOND = Answer("b", "不知道", 64, stopped=False)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "answers" / "tuned.jsonl"
    assert resume_answers(path, "fingerprint") == {}
    append_answer(path, FIRST)
    append_answer(path, SECOND)
    return path


def test_answers_come_back_as_they_were_written(path):
    assert load_answers(path) == {"a": FIRST, "b": SECOND}


def test_no_file_means_no_answers(tmp_path):
    assert load_answers(tmp_path / "none.jsonl") == {}


def test_a_kill_at_any_byte_loses_at_most_the_answer_being_written(path):
    whole = path.read_bytes()
    start = whole.index(b'{"item_id": "b"')

    for cut in range(start, len(whole)):
        path.write_bytes(whole[:cut])
        assert load_answers(path) == {"a": FIRST}
        append_answer(path, SECOND)
        assert path.read_bytes() == whole


def test_answers_of_the_same_inputs_are_kept(path):
    assert resume_answers(path, "fingerprint") == {"a": FIRST, "b": SECOND}


def test_answers_of_other_inputs_are_thrown_away(path):
    assert resume_answers(path, "another adapter") == {}
    assert load_answers(path) == {}


def test_a_damaged_line_in_the_middle_is_named(path):
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b'{"item_id": "a", "te\n' + lines[2])

    with pytest.raises(DataError, match=r"tuned\.jsonl: line 2 is not an answer"):
        load_answers(path)


def test_a_lone_surrogate_can_be_written(path):
    append_answer(path, Answer("c", "\ud83d!", 1, stopped=True))  # C60

    assert load_answers(path)["c"].text == "\ufffd!"
