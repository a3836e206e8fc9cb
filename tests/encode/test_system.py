"""System turns have one policy, which stands in the template itself (C19)."""

import pytest

from foundry.core.errors import DataError
from foundry.core.records import Turn
from foundry.encode.render import render
from foundry.encode.rows import encode
from foundry.encode.system import FOLD, with_system_turns
from foundry.encode.tokenize import IGNORED, encoder_of
from tests.encoders import conversation, example
from tests.templates import LLAMA_SYSTEM_TURNS, stock_template
from tests.tiny import tiny_tokenizer

SAID = "你是店員。"
CHAT = example("多少錢？", "三百元。", "白色嗎？", "是白色。")
TEMPLATES = {"own place": stock_template("llama3"), **LLAMA_SYSTEM_TURNS}


def test_template_with_a_place_for_the_system_turn_is_left_as_it_is():
    for name in ("llama3", "llama3_2", "gemma3", "qwen2_5", "qwen3", "gemma4"):
        assert with_system_turns(stock_template(name), "", "") == stock_template(name)


@pytest.mark.parametrize("name", LLAMA_SYSTEM_TURNS)
def test_other_template_gets_the_text_in_front_of_the_first_question(name: str):
    folded = with_system_turns(TEMPLATES[name], "<bos>", "")
    turns = conversation("多少錢？", "三百元。", "白色？")

    text = render([Turn("system", SAID), *turns], folded, bos_token="<bos>")

    first = Turn("user", f"{SAID}\n\n多少錢？")
    assert text == render([first, *turns[1:]], TEMPLATES[name], bos_token="<bos>")


def test_stock_template_of_gemma_says_what_that_of_gemma_3_says():
    folded = with_system_turns(stock_template("gemma"), "<bos>", "<eos>")
    turns = conversation("多少錢？", "三百元。", "白色？", system=SAID)

    text = render(turns, folded, bos_token="<bos>", add_generation_prompt=True)

    assert text == render(
        turns, stock_template("gemma3"), bos_token="<bos>", add_generation_prompt=True
    )


def test_folding_changes_nothing_where_no_system_turn_is():
    turns = conversation("多少錢？", "三百元。")
    for name in ("gemma", "gemma3", "llama3"):
        template = stock_template(name)
        assert render(turns, FOLD + template, bos_token="b") == render(
            turns, template, bos_token="b"
        )


def test_white_space_at_the_head_of_a_template_survives_the_prelude():
    for head in ("\n", "  ", "\n\n "):
        plain = head + "{{ messages[0].content }}"
        turns = conversation("a")
        assert render(turns, FOLD + plain, bos_token="") == render(turns, plain, bos_token="")


def test_system_turn_alone_is_refused_without_a_traceback():  # C19
    encoder = encoder_of(tiny_tokenizer("llama"), TEMPLATES["refused"])

    with pytest.raises(DataError, match="System role not supported"):
        encoder.render([Turn("system", SAID)])


@pytest.mark.parametrize("name", TEMPLATES)
def test_trained_row_begins_with_the_prompt_of_use_and_holds_the_text_once(name: str):
    encoder = encoder_of(tiny_tokenizer("llama"), TEMPLATES[name], SAID)

    encoded = encode(CHAT, encoder)

    ids, labels = list(encoded.row.input_ids), encoded.row.labels
    prompt = encoder.prompt_ids(CHAT.prompt)
    assert ids[: len(prompt)] == prompt
    assert encoder.tokenizer.decode(ids).count(SAID) == 1
    supervised = encoder.tokenizer.decode([i for i in labels if i != IGNORED])
    assert supervised == "三百元。<|eot_id|>是白色。<|eot_id|>"
