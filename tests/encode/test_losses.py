"""What a template leaves out or adds is told, in the words of the report."""

import pytest

from foundry.core.records import ToolCall, Turn
from foundry.encode.losses import added, left_out
from foundry.encode.masking import Talk, mask_many
from foundry.encode.render import Template
from tests.encoders import conversation
from tests.templates import stock_template

END = frozenset({"<|im_end|>", "<end_of_turn>", "<|eot_id|>", "<|end|>", "<eos>"})
THINKING = (
    Turn("user", "一"),
    Turn("assistant", "甲", reasoning="想一"),
    Turn("user", "二"),
    Turn("assistant", "乙", reasoning="想二"),
)
WITHIN = conversation("一", "<think>想一</think>甲", "二", "乙")
TOOLS = ({"type": "function", "function": {"name": "lookup", "description": "查"}},)
CALLING = (
    Turn("user", "天氣？"),
    Turn("assistant", "", tool_calls=(ToolCall("lookup", {"city": "臺北"}),)),
    Turn("tool", "晴"),
    Turn("assistant", "晴天。"),
)


def lost(talk: Talk, template: str) -> list[list[str]]:
    """What each row of a conversation lacks."""
    (made,) = mask_many([talk], Template(template, "<bos>", "<eos>"), END)
    assert isinstance(made, tuple)
    return [list(left_out(talk, masked)) for masked in made]


@pytest.mark.parametrize("turns", [THINKING, WITHIN], ids=["apart", "within the answer"])
def test_thinking_that_is_dropped_later_is_told_as_earlier(turns: tuple[Turn, ...]):
    assert lost(Talk(turns), stock_template("qwen3")) == [[], ["earlier-reasoning"]]


def test_thinking_that_is_never_written_is_told_for_each_answer():
    assert lost(Talk(THINKING), stock_template("gemma3")) == [["reasoning", "reasoning"]]


def test_system_text_that_is_not_written_is_told():
    silent = stock_template("llama3").replace(
        "{% for message in loop_messages %}",
        "{% for message in loop_messages if message.role != 'system' %}",
    )
    assert silent != stock_template("llama3")
    turns = conversation("一", "甲", system="你是店員。")

    assert lost(Talk(turns), silent) == [["system-text"]]
    assert lost(Talk(turns), stock_template("llama3")) == [[]]


def test_tools_that_are_not_offered_are_told():
    turns = conversation("一", "甲")

    assert lost(Talk(turns, TOOLS), stock_template("gemma3")) == [["tools"]]
    assert lost(Talk(CALLING, TOOLS), stock_template("qwen2_5")) == [[]]


def test_words_before_the_content_are_those_the_template_adds():
    plain, thinking = conversation("一", "甲")[1], THINKING[1]

    assert added(plain, "甲<|im_end|>") is None
    assert added(plain, "<think>\n\n</think>\n\n甲<|im_end|>") == "<think>\n\n</think>"
    assert added(thinking, "<think>\n想一\n</think>\n\n甲<|im_end|>") == "<think>\n…\n</think>"
    assert added(CALLING[1], "<tool_call>…") is None
