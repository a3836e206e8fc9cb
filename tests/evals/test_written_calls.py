"""A call that a family's own template writes is read back as it was, with control tokens or not."""

import itertools
import re

import pytest

from foundry.core.records import ToolCall, Turn
from foundry.encode.render import render
from foundry.encode.tools import with_tool_turns
from foundry.evals.written_calls import Written, read_written
from tests import own_templates
from tests.family_talks import CALL, TOOLS
from tests.templates import stock_template

OTHER = ToolCall(
    "now", {"flag": True, "when": {"a": [1, 2.5]}, "text": 'say "hi" {x}'}, "call99999"
)
NOW = {
    "name": "now",
    "description": "現在",
    "parameters": {
        "type": "object",
        "properties": {
            "flag": {"type": "boolean", "description": "是否"},
            "when": {"type": "object", "description": "何時"},
            "text": {"type": "string", "description": "文字"},
        },
    },
}
OFFERED = (*TOOLS, {"type": "function", "function": NOW})
STOCK = ["gemma3", "gemma4_v5", "llama3", "llama3_1", "llama3_2", "qwen2_5", "qwen3",
         "qwen3_5_nothink", "gptoss", "phi3", "lfm2_2_5", "nemotron_3_nano"]  # fmt: skip
OWN = ["APERTUS", "GRANITE", "LLAMA2", "MINISTRAL_3", "MISTRAL_V3", "OLMO_2", "OLMO_3", "PHI_4",
       "SMOLLM_3"]  # fmt: skip
ONE_CALL_ONLY = {"llama3_1", "llama3_2", "gptoss"}
STOP = re.compile(r"(?:<\|end_of_text\|>|<eos>)\s*$")
CONTROL = re.compile(
    r"<\|[a-z_]+\|>|<\|tool_call>|<tool_call\|>|<\|tool_response>|\[TOOL_CALLS\]|\[ARGS\]"
    r"|<end_of_turn>|<eos>"
)


def template(name: str) -> str:
    source = stock_template(name) if name in STOCK else getattr(own_templates, name)
    return with_tool_turns(source, "<bos>", "<eos>")


def written(name: str, calls: tuple[ToolCall, ...]) -> str:
    """What the template writes after the question."""
    talk = (Turn("user", "天氣？"), Turn("assistant", "", tool_calls=calls))
    given = {"bos_token": "<bos>", "eos_token": "<eos>", "tools": OFFERED}
    whole = render(talk, template(name), **given)
    asked = render(talk[:1], template(name), add_generation_prompt=True, **given)
    same = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(whole, asked, strict=False))
    return whole[len([*same]) :]


def bare(calls: tuple[ToolCall, ...]) -> list[tuple[str, object]]:
    return [(call.name, dict(call.arguments)) for call in calls]


@pytest.mark.parametrize("decoded", ["with control tokens", "without control tokens"])
@pytest.mark.parametrize("name", [*STOCK, *OWN])
def test_a_call_is_read_back_from_every_family(name, decoded):
    calls = (CALL,) if name in ONE_CALL_ONLY else (CALL, OTHER)
    text = STOP.sub("", written(name, calls))  # as runtimes cut it
    if decoded == "without control tokens":
        text = CONTROL.sub("", text)

    found = read_written(text, OFFERED)

    assert not found.malformed
    assert bare(found.calls) == bare(calls)


@pytest.mark.parametrize(
    "text",
    [
        "今天晴天。",
        "",
        '{"city": "臺北"}',
        "I would call lookup to find out.",
        "lookup 這個工具可以查天氣。",
        "[1] 參考資料",
        '{"weather": {"city": "臺北"',
        "{x}",
    ],
)
def test_an_answer_in_words_or_data_is_no_call(text):
    assert read_written(text, OFFERED) == Written()


@pytest.mark.parametrize(
    "text",
    [
        '<tool_call>\n{"name": "lookup", "arguments": {"city": "臺北"',
        "<tool_call>lookup</tool_call>",
        '{"name": "lookup", "arguments": "臺北"}',
        '{"name": "lookup", "parameters": {"city": }}',
        'lookup{"city": ',
        "[lookup(city=臺北)]",
        'to=functions.lookup commentary json{"city": ',
        "call:lookup{city:臺北",
        '{"name": "lookup", "name": "now", "arguments": {}}',
        '[{"lookup": {"city": "臺北"',
        '{"lookup": {"city": ',
        '[{"lookup": "臺北"}]',
    ],
)
def test_what_begins_as_a_call_and_cannot_be_read_is_malformed(text):
    assert read_written(text, OFFERED) == Written(malformed=True)


def test_a_thought_about_a_call_is_no_call():
    thought = '<think>\n<tool_call>{"name": "lookup"}</tool_call>?\n</think>\n\n今天晴天。'

    assert read_written(thought, OFFERED) == Written()


def test_deep_nesting_is_malformed_and_no_crash():
    assert read_written("<tool_call>" + "[" * 100_000, OFFERED).malformed
