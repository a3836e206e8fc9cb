"""Tools, calls and results reach the text of every template, once and unquoted (C59)."""

import json
from dataclasses import replace

import pytest

from foundry.core.records import ToolCall, Turn
from foundry.encode import tools as prelude
from foundry.encode.render import render
from foundry.encode.system import with_system_turns
from foundry.encode.tokenize import encoder_of
from tests.cases import case, change
from tests.encoders import encode_all, example, tiny_encoder
from tests.templates import stock_template

TOOLS = (
    {
        "type": "function",
        "function": {"name": "lookup", "description": "查天氣", "parameters": {"type": "object"}},
    },
)
CALLS = (ToolCall("lookup", {"city": "臺北"}, "a"), ToolCall("lookup", {"city": "臺中"}, "b"))
CHAT = (
    Turn("system", "你是氣象員。"),
    Turn("user", "臺北、臺中天氣？"),
    Turn("assistant", "", tool_calls=CALLS),
    Turn("tool", "晴", name="lookup", call_id="a"),
    Turn("tool", "雨", name="lookup", call_id="b"),
    Turn("assistant", "臺北晴，臺中雨。"),
    Turn("user", "謝謝"),
    Turn("assistant", "不客氣。"),
)
NO_TOOLS = ("gemma", "gemma3", "llama3", "phi3")
OWN_TOOLS = ("llama3_1", "qwen2_5", "qwen3", "gptoss", "gemma4_v5")


def chat_of(name: str) -> str:
    return prelude.with_tool_turns(
        with_system_turns(stock_template(name), "<bos>", ""), "<bos>", ""
    )


def said(turns, name: str, tools=TOOLS) -> str:
    return render(turns, chat_of(name), bos_token="<bos>", eos_token="<eos>", tools=tools)


@case("C59", {"no prelude": change(prelude, "AS_TEXT", "")})
@pytest.mark.parametrize("name", NO_TOOLS)
def test_template_without_tools_says_them_in_its_turns(name):
    text = said(CHAT, name)

    assert text.count(json.dumps(TOOLS[0], ensure_ascii=False)) == 1
    for call in CALLS:
        written = json.dumps(dict(call.arguments), ensure_ascii=False)
        assert text.count(f'{{"name": "lookup", "arguments": {written}}}') == 1
    results = "<tool_response>\n晴\n</tool_response>\n<tool_response>\n雨\n</tool_response>"
    assert text.count(results) == 1
    assert "None" not in text
    assert all(text.count(turn.content) == 1 for turn in CHAT if len(turn.content) > 1)


@pytest.mark.parametrize("name", OWN_TOOLS)
def test_template_with_tools_of_its_own_is_left_alone(name):
    assert prelude.AS_TEXT not in chat_of(name)


@pytest.mark.parametrize("name", NO_TOOLS)
def test_conversation_without_tools_is_rendered_as_ever(name):
    plain = [CHAT[1], CHAT[5], CHAT[6], CHAT[7]]

    assert said(plain, name, ()) == render(
        plain, stock_template(name), bos_token="<bos>", eos_token="<eos>"
    )


def test_question_after_a_result_stands_below_it():
    asked = [*CHAT[:5], Turn("user", "高雄呢？"), Turn("assistant", "不知道。")]

    assert "</tool_response>\n\n高雄呢？<end_of_turn>" in said(asked, "gemma3")


def test_prompt_after_a_result_goes_on_with_the_answer():
    text = render(
        CHAT[:5], chat_of("gemma3"), bos_token="", tools=TOOLS, add_generation_prompt=True
    )

    assert text.endswith("</tool_response><end_of_turn>\n<start_of_turn>model\n")


@pytest.mark.parametrize("name", ["llama3_1", "llama3_2"])
def test_text_that_a_template_leaves_out_beside_a_call_is_refused_and_counted(name: str):
    encoder = encoder_of(tiny_encoder("llama").tokenizer, stock_template(name))
    question = Turn("user", "臺北天氣？")
    both = Turn("assistant", "我查一下。", tool_calls=CALLS[:1])
    alone = Turn("assistant", "", tool_calls=CALLS[:1])
    given = [
        replace(example("?", "!", line=line), messages=(question, answer), tools=TOOLS)
        for line, answer in enumerate((both, alone), start=1)
    ]

    made, report = encode_all(given, encoder, max_refused=0.5, max_seq_len=4096)

    assert report.as_dict()["dropped"] == {"text-not-written": 1}
    assert len(made) == 1
