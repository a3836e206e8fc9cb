"""What is supervised, on characters: each answer and its terminator, nothing else."""

import json
from collections.abc import Collection
from typing import Any

import pytest

from foundry.core.errors import DataError
from foundry.core.records import ToolCall, Turn
from foundry.encode.mask import Masked, TurnRefusedError
from foundry.encode.masking import Outcome, Talk, mask_many
from foundry.encode.render import Template
from foundry.encode.tools import with_tool_turns
from tests.cases import case, change
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


def outcome(
    turns: tuple[Turn, ...], template: str, control: Collection[str] = CONTROL, **options: Any
) -> Outcome:
    """What becomes of a conversation under a template."""
    talk = Talk(turns, **options)
    (made,) = mask_many([talk], Template(template, "<bos>", "<eos>"), frozenset(control))
    return made


def pieces(*arguments: Any, **options: Any) -> tuple[Masked, ...]:
    """The masked texts of a conversation that is not refused."""
    made = outcome(*arguments, **options)
    assert not isinstance(made, TurnRefusedError)
    return made


def masked(*arguments: Any, **options: Any) -> Masked:
    """The only masked text of a conversation."""
    (made,) = pieces(*arguments, **options)
    return made


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


REWRITING = (
    "{% for m in messages %}[{{ m.role }}]{{ m.content if loop.last else m.content | upper }}"
    "<end>{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}"
)


def test_turn_that_is_written_otherwise_later_is_trained_as_the_model_writes_it():
    turns = conversation("a", "b", "c", "d")

    # A question is not rewritten while it is the last turn but one, or the prompt would differ.
    template = REWRITING.replace("loop.last else", "loop.last or m.role == 'user' else")

    first, second = pieces(turns, template)
    assert first.text == "[user]a<end>[assistant]b<end>"
    assert second.text == "[user]a<end>[assistant]B<end>[user]c<end>[assistant]d<end>"
    assert supervised(first) == ["b<end>"]
    assert supervised(second) == ["d<end>"]


def test_prompt_that_is_rewritten_under_its_answer_refuses_the_conversation():
    found = outcome(conversation("a", "b"), REWRITING)

    assert isinstance(found, TurnRefusedError)
    assert found.code == "prompt-not-kept"
    assert "'a<end>[assistant]', but writes it as 'A<end>[assistant]b<end>'" in found.reason


def test_template_whose_prompt_is_no_prefix_of_the_answer_refuses_the_conversation():
    other_prompt = (
        "{% for m in messages %}[{{ m.role }}]{{ m.content }}<end>{% endfor %}"
        "{% if add_generation_prompt %}[assistant]<think>{% endif %}"
    )

    found = outcome(TURNS[:2], other_prompt)

    assert isinstance(found, TurnRefusedError)
    assert "asks for the answer with '<think>', but writes it as '三百元。<end>'" in found.reason


def test_roles_that_the_template_refuses_refuse_the_conversation_alone():  # C58
    talks = [Talk(TURNS), Talk((TURNS[0], *TURNS)), Talk(TURNS[:2])]

    good, bad, other = mask_many(
        talks, Template(stock_template("gemma3"), "<bos>"), frozenset(CONTROL)
    )

    assert isinstance(bad, TurnRefusedError)
    assert bad.code == "template-refused"
    assert "must alternate" in bad.reason
    assert [len(made[0].spans) for made in (good, other)] == [2, 1]  # type: ignore[index]


THINKING = (
    Turn("user", "一"),
    Turn("assistant", "甲", reasoning="想一"),
    Turn("user", "二"),
    Turn("assistant", "乙", reasoning="想二"),
)


def test_thinking_that_qwen_drops_later_is_trained_before_it_is_dropped():
    first, second = pieces(THINKING, stock_template("qwen3"))

    assert supervised(first) == ["<think>\n想一\n</think>\n\n甲<|im_end|>"]
    assert supervised(second) == ["<think>\n想二\n</think>\n\n乙<|im_end|>"]
    assert "想一" not in second.text
    assert "甲<|im_end|>" in second.text


def test_terminator_that_gpt_oss_changes_later_is_trained_as_the_model_writes_it():
    control = {"<|return|>", "<|end|>", "<|call|>", "<|start|>", "<|channel|>", "<|message|>"}

    first, second = pieces(TURNS, stock_template("gptoss"), control)

    assert [piece.spans[0].terminator for piece in (first, second)] == ["<|return|>"] * 2
    assert "三百元。<|end|>" in second.text


def test_end_of_the_document_after_the_end_of_the_turn_is_not_taken_for_it():
    found = masked(TURNS, stock_template("phi3"), {"<|end|>", "<eos>"})

    assert supervised(found) == [f"{TURNS[n].content}<|end|>" for n in (1, 3)]
    assert found.text.endswith("<|end|>\n<eos>")


CALL = ToolCall("lookup", {"city": "臺北", "days": 2}, "call12345")
WITH_TOOLS = (
    Turn("user", "天氣？"),
    Turn("assistant", "", tool_calls=(CALL,)),
    Turn("tool", '{"sky": "晴"}', name="lookup", call_id="call12345"),
    Turn("assistant", "晴天。"),
)
TOOLS = (
    {
        "type": "function",
        "function": {
            "name": "lookup",
            "description": "查天氣",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string", "description": "城市"}},
                "required": ["city"],
            },
        },
    },
)


CALLED = {"qwen2_5": "<|im_end|>", "llama3_1": "<|eot_id|>", "qwen3": "<|im_end|>"}
as_dict = Turn.as_dict


def arguments_as_text(self: Turn) -> dict[str, Any]:
    message = as_dict(self)
    for call in message.get("tool_calls", ()):
        text = json.dumps(call["function"]["arguments"], ensure_ascii=False)
        call["function"]["arguments"] = text
    return message


def content_of_none(self: Turn) -> dict[str, Any]:
    message = as_dict(self)
    return {**message, "content": message["content"] or "None"}


@case(
    "C59",
    {
        "arguments are encoded twice": change(Turn, "as_dict", arguments_as_text),
        "a missing content is written out": change(Turn, "as_dict", content_of_none),
    },
)
def test_calls_are_supervised_and_neither_tools_nor_results():
    for name, end in CALLED.items():
        made = pieces(WITH_TOOLS, stock_template(name), {end}, tools=TOOLS)

        call, answer = [text for piece in made for text in supervised(piece)]
        assert '{"city": "臺北", "days": 2}' in call
        assert call.count("臺北") == 1
        assert call.endswith(end)
        assert answer.endswith(f"晴天。{end}")
        assert "查天氣" in made[-1].text
        assert not any(word in call + answer for word in ("查天氣", "sky", "天氣？", "None"))


def test_template_that_knows_no_calls_refuses_the_conversation():  # C59
    found = outcome(WITH_TOOLS, stock_template("phi3"), {"<|end|>", "<eos>"}, tools=TOOLS)

    assert isinstance(found, TurnRefusedError)
    assert found.code == "call-not-written"
    assert "`lookup`" in found.reason


def test_end_of_the_document_after_a_call_is_not_taken_for_the_end_of_the_turn():  # C02
    template = with_tool_turns(stock_template("phi3"), "<bos>", "<eos>")

    whole = masked(WITH_TOOLS, template, {"<|end|>", "<eos>"}, tools=TOOLS)
    alone = masked(WITH_TOOLS[:2], template, {"<|end|>", "<eos>"}, tools=TOOLS)

    call, answer = supervised(whole)
    assert call.endswith("</tool_call><|end|>") and answer == "晴天。<|end|>"
    assert supervised(alone) == [call]
    assert alone.text.endswith("</tool_call><|end|>\n<eos>")


@pytest.mark.parametrize("broken", ["tojson | tojson", "tojson(ensure_ascii=true)"])
def test_template_that_encodes_arguments_otherwise_refuses_the_conversation(broken: str):  # C59
    template = stock_template("qwen2_5").replace(
        "tool_call.arguments | tojson", f"tool_call.arguments | {broken}"
    )
    assert template != stock_template("qwen2_5")

    found = outcome(WITH_TOOLS, template, {"<|im_end|>"}, tools=TOOLS)

    assert ("tojson | tojson" in broken) != isinstance(found, TurnRefusedError)


def test_only_the_last_answer_of_a_preference_is_supervised():
    found = masked(TURNS, stock_template("gemma3"), last_only=True)

    assert supervised(found) == [TURNS[3].content + "<end_of_turn>"]
