"""What counts as the same text, prompt and answer (C27)."""

import pytest

from foundry.core.records import Example, Turn
from foundry.data.duplicates import first_of_each, normalise, other_answers


def example(question, answer, line=0):
    turns = (Turn("user", question), Turn("assistant", answer))
    return Example(id=str(line), messages=turns, source="a.csv", line=line, group=str(line))


@pytest.mark.parametrize(
    "text", ["ABC 12元", "abc 12元", "ＡＢＣ　１２元", "  Abc \n 12元 ", "abc\u00a012元"]
)
def test_width_space_and_case_do_not_matter(text):  # C27
    assert normalise(text) == "abc 12元"


@pytest.mark.parametrize("other", ["abc 13元", "abc12元", "abc 12圓"])
def test_other_text_stays_other(other):
    assert normalise(other) != "abc 12元"


def test_first_of_equal_examples_stays():
    rows = [example("問", "答", 1), example("問", "否", 2), example(" 問", "答", 3)]

    first, repeats = first_of_each(rows)

    assert [e.line for e in first] == [1, 2]
    assert [(late.line, early.line) for late, early in repeats] == [(3, 1)]


def test_prompt_and_answer_are_told_apart():
    first, _repeats = first_of_each([example("問 答", "好"), example("問", "答 好")])

    assert len(first) == 2


def test_same_prompt_with_another_answer_is_counted():  # C27
    train = [example("問", "答"), example("問二", "答")]

    assert other_answers([example("問", "否"), example("問二", "答")], train) == 1
