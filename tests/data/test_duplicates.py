"""What counts as the same text, prompt and answer (C27)."""

from dataclasses import replace

import pytest

from foundry.core.records import Example, ToolCall, Turn
from foundry.data.duplicates import normalise, text_keys
from foundry.data.keys import Keys
from foundry.data.parts import REMOVED, divide


def example(question, answer, line=0):
    turns = (Turn("user", question), Turn("assistant", answer))
    return Example(id=str(line), messages=turns, source="a.csv", line=line, group=str(line))


def divided(train, **tests):
    """The division of examples, each part a file of its own."""
    keys = {name: [Keys()] for name in ("train", *tests)}
    for name, rows in {"train": train, **tests}.items():
        for row in rows:
            keys[name][0].add(row)
    return divide(keys.pop("train"), keys, None, lambda: iter(train))


@pytest.mark.parametrize(
    "text", ["ABC 12元", "abc 12元", "ＡＢＣ　１２元", "  Abc \n 12元 ", "abc\u00a012元"]
)
def test_width_space_and_case_do_not_matter(text):  # C27
    assert normalise(text) == "abc 12元"


@pytest.mark.parametrize("other", ["abc 13元", "abc12元", "abc 12圓"])
def test_other_text_stays_other(other):
    assert normalise(other) != "abc 12元"


def test_first_of_equal_examples_stays():
    division = divided([example("問", "答", 1), example("問", "否", 2), example(" 問", "答", 3)])

    assert division.part.tolist() == [0, 0, REMOVED]
    assert division.repeats.tolist() == [-1, -1, 0]


def test_prompt_and_answer_are_told_apart():
    division = divided([example("問 答", "好"), example("問", "答 好")])

    assert division.part.tolist() == [0, 0]


def test_same_prompt_with_another_answer_is_counted():  # C27
    train = [example("問", "答"), example("問二", "答")]
    exam = [example("問", "否"), example("問三", "答"), example("問", "不")]

    division = divided(train, exam=exam)

    assert division.overlap == {"exam": {"removed_from_train": 0, "same_prompt_other_answer": 2}}


def test_example_that_several_parts_hold_is_taken_out_of_training_alone():  # C27
    division = divided(
        [example("問", "答"), example("問", "答"), example("問二", "答")],
        first=[example("問", "答")],
        second=[example("問三", "答"), example("問", "答 ")],
    )

    assert division.part.tolist() == [REMOVED, REMOVED, 0, 1, 2, 2]
    assert division.repeats.tolist()[:2] == [5, 5]
    assert division.overlap["second"]["removed_from_train"] == 2


@pytest.mark.parametrize(
    "change",
    [
        {"rejected": Turn("assistant", "否")},
        {"label": False},
        {"tools": ({"name": "f"},)},
        {"messages": (Turn("user", "問"), Turn("assistant", "答", reasoning="想"))},
        {
            "messages": (
                Turn("user", "問"),
                Turn("assistant", "答", tool_calls=(ToolCall("f", {}),)),
            )
        },
    ],
)
def test_what_is_learned_beside_the_text_makes_another_example(change):  # C27
    plain = example("問", "答")

    assert text_keys(replace(plain, **change)).whole != text_keys(plain).whole


def test_ids_of_calls_make_no_other_example():  # C27
    def called(name):
        turn = Turn("assistant", "", tool_calls=(ToolCall("f", {"x": 1}, name),))
        return replace(example("問", "答"), messages=(Turn("user", "問"), turn))

    assert text_keys(called("call_1")) == text_keys(called("call_2"))


def test_text_is_its_own_prompt():
    one, other = (replace(example("", ""), messages=(), text=text) for text in ("文", "另一文"))

    assert text_keys(one).prompt != text_keys(other).prompt
