"""What is supervised, on characters: each answer and its terminator, nothing else."""

from collections.abc import Collection

import pytest

from foundry.core.errors import DataError
from foundry.core.records import Turn
from foundry.encode.mask import Masked, mask
from foundry.encode.render import render
from tests.encoders import conversation
from tests.templates import TERMINATORS, WITH_SYSTEM, stock_template

CONTROL = {"<bos>", "<end>", *TERMINATORS.values()}
TURNS = conversation("電風扇多少錢？", "三百元。", "Is it white?", "Yes,\nand also black 👍.")
# Closes an answer only when a question follows, as templates seen in the wild do (C02).
NO_LAST_END = (
    "{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}"
    "{% if not loop.last %}<end>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<end>[assistant]{% endif %}"
)


def masked(turns: tuple[Turn, ...], template: str, control: Collection[str] = CONTROL) -> Masked:
    def through_template(some: tuple[Turn, ...], *, add_generation_prompt: bool = False) -> str:
        return render(
            some, template, bos_token="<bos>", add_generation_prompt=add_generation_prompt
        )

    return mask(turns, through_template, control)


def supervised(found: Masked) -> list[str]:
    return [found.text[span.start : span.stop] for span in found.spans]


@pytest.mark.parametrize("name", TERMINATORS)
def test_stock_template_supervises_every_answer_and_its_end(name: str):  # C04
    found = masked(TURNS, stock_template(name))

    end = TERMINATORS[name]
    assert supervised(found) == [TURNS[1].content + end, TURNS[3].content + end]
    assert [span.terminator for span in found.spans] == [end, end]


@pytest.mark.parametrize("name", WITH_SYSTEM)
def test_system_text_is_never_supervised(name: str):  # C19
    turns = conversation("多少錢？", "三百元。", system="你是店員。")

    found = masked(turns, stock_template(name))

    assert found.text.count("你是店員。") == 1
    assert supervised(found) == ["三百元。" + TERMINATORS[name]]


def test_question_equal_to_the_answer_is_not_supervised():  # C05
    found = masked(conversation("yes", "yes"), stock_template("gemma3"))

    assert supervised(found) == ["yes<end_of_turn>"]
    assert found.spans[0].start == found.text.rindex("yes")


def test_end_token_inside_the_answer_does_not_end_it():
    turns = conversation("問", "寫成 <end_of_turn> 的字")

    assert supervised(masked(turns, stock_template("gemma3"))) == [
        "寫成 <end_of_turn> 的字<end_of_turn>"
    ]


def test_longest_control_token_is_the_terminator():
    found = masked(TURNS[:2], stock_template("gemma3"), {">", "<end_of_turn>", "turn>"})

    assert found.spans[0].terminator == "<end_of_turn>"


def test_template_without_end_is_refused_with_its_tail():  # C02
    with pytest.raises(DataError, match=r"ends no assistant turn with a control token") as error:
        masked(TURNS[:2], NO_LAST_END)

    assert "[user]電風扇多少錢？<end>[assistant]三百元。" in error.value.problems[0].what


def test_end_of_the_prompt_is_not_taken_for_the_end_of_an_empty_answer():  # C02
    without = (
        "{% for m in messages %}{{ m.content }}{% if m.role == 'user' %}<end>{% endif %}"
        "{% endfor %}"
    )

    with pytest.raises(DataError, match="ends no assistant turn"):
        masked(conversation("問", ""), without)


def test_template_that_rewrites_earlier_turns_is_refused():
    rewriting = (
        "{% for m in messages %}[{{ m.role }}]{{ m.content if loop.last else m.content | upper }}"
        "<end>{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}"
    )

    with pytest.raises(DataError, match="renders an earlier turn differently"):
        masked(conversation("a", "b", "c", "d"), rewriting)


def test_template_whose_prompt_is_no_prefix_of_the_answer_is_refused():
    other_prompt = (
        "{% for m in messages %}[{{ m.role }}]{{ m.content }}<end>{% endfor %}"
        "{% if add_generation_prompt %}[assistant]<think>{% endif %}"
    )

    with pytest.raises(DataError, match="renders an earlier turn differently"):
        masked(TURNS[:2], other_prompt)
