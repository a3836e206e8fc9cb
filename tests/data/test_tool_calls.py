"""Tool calls in every spelling are one call, written once, and a malformed one is refused."""

import json

import pytest

from foundry.core.records import ToolCall, Turn
from foundry.data import messages as messages_module
from foundry.data import tool_calls
from foundry.data.formats import chat
from foundry.data.rows import JsonNumber, RowError
from foundry.data.settling import settle_draft
from foundry.data.tool_calls import read_calls, read_tools
from foundry.encode.render import render
from tests.cases import case, change
from tests.templates import stock_template

LOOKUP = {"name": "lookup", "description": "查詢", "parameters": {"type": "object"}}
OBJECT, STRING = {"city": "臺北"}, '{"city": "臺北"}'
ABSENT = object()


def row(arguments, content=None):
    """A row with one call; `content` is what stands beside it."""
    call = {"id": "call_1", "type": "function"}
    call["function"] = {"name": "lookup", "arguments": arguments}
    beside = {} if content is ABSENT else {"content": content}
    return {
        "messages": [
            {"role": "user", "content": "臺北天氣如何？"},
            {"role": "assistant", **beside, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1", "content": '{"temp": 31}'},
            {"role": "assistant", "content": "31 度。"},
        ],
        "tools": [{"type": "function", "function": LOOKUP}],
    }


def turns(values):
    return settle_draft(chat.to_draft(values, chat.Spec())).turns


def rendered(values):
    return render(turns(values), stock_template("qwen2_5"), bos_token="")


@case(
    "C59",
    {
        "arguments stay text": change(tool_calls, "parse", lambda text: {"json": text}),
        "null is printed": change(messages_module, "as_text", lambda value, field: str(value)),
        "calls are not read": change(messages_module, "read_calls", lambda *_: ()),
    },
)
def test_arguments_as_text_and_as_an_object_render_alike_and_once():
    texts = {
        rendered(row(arguments, content))
        for arguments in (OBJECT, STRING)
        for content in (None, "", ABSENT)
    }

    [text] = texts
    assert text.count('{"name": "lookup", "arguments": {"city": "臺北"}}') == 1
    assert "None" not in text
    with pytest.raises(RowError, match="message 2: tool call: arguments of `lookup`") as error:
        turns(row('{"city":'))
    assert error.value.code == "tool-call"


@case("C53", {"null is text": change(messages_module, "as_text", lambda value, field: str(value))})
def test_keys_that_other_rows_fill_change_nothing_of_a_row_without_them():
    plain = {
        "messages": [{"role": "user", "content": "問"}, {"role": "assistant", "content": "答"}]
    }
    keys = ("tool_calls", "name", "function_call", "tool_call_id", "reasoning_content", "weight")
    filled = {
        "messages": [{**message, **dict.fromkeys(keys)} for message in plain["messages"]],
        "tools": None,
        "system": None,
    }
    with_call = turns(row(OBJECT))

    assert rendered(filled) == rendered(plain)
    assert [turn.as_dict() for turn in turns(filled)] == plain["messages"]
    assert with_call[1].tool_calls[0].name == "lookup"
    with pytest.raises(RowError):
        turns({"messages": [None, [1]]})


def test_sharegpt_and_openai_spellings_are_one_conversation():
    sharegpt = {
        "conversations": [
            {"from": "human", "value": "臺北天氣如何？"},
            {"from": "function_call", "value": '{"name": "lookup", "arguments": {"city": "臺北"}}'},
            {"from": "observation", "value": '{"temp": 31}'},
            {"from": "gpt", "value": "31 度。"},
        ],
        "tools": json.dumps([LOOKUP]),
    }
    openai = row(STRING)
    del openai["messages"][1]["tool_calls"][0]["id"], openai["messages"][2]["tool_call_id"]
    old = row(STRING)
    del old["messages"][1]["tool_calls"]
    old["messages"][1]["function_call"] = {"name": "lookup", "arguments": STRING}
    old["messages"][2] = {"role": "function", "name": "lookup", "content": '{"temp": 31}'}
    old["functions"] = [old.pop("tools")[0]["function"]]

    drafts = [chat.to_draft(values, chat.Spec()) for values in (sharegpt, openai, old)]

    first, *others = [(settle_draft(draft).turns, draft.tools) for draft in drafts]
    assert others == [first, first]
    assert first[0][1].tool_calls == (ToolCall("lookup", OBJECT, id="call00001"),)
    assert first[0][2] == Turn("tool", '{"temp": 31}', name="lookup", call_id="call00001")
    assert first[1] == ({"type": "function", "function": LOOKUP},)


def test_several_calls_in_one_turn_keep_their_order():
    text = '[{"name": "f", "arguments": {"n": 1}}, {"name": "g", "arguments": "{\\"n\\": 2.0}"}]'

    calls = read_calls(text, [])

    assert [(call.name, json.dumps(call.arguments)) for call in calls] == [
        ("f", '{"n": 1}'),
        ("g", '{"n": 2.0}'),
    ]


@pytest.mark.parametrize("arguments", [None, "", "{}", {}])
def test_function_without_arguments_has_an_empty_object(arguments):
    assert read_calls([{"name": "f", "arguments": arguments}], []) == (ToolCall("f", {}),)


@pytest.mark.parametrize("value", [None, [], "[]"])
def test_no_call_is_no_fault(value):
    assert read_calls(value, []) == ()


@pytest.mark.parametrize(
    "value",
    [
        "f()",
        "",
        [1],
        [{"arguments": {}}],
        [{"name": " ", "arguments": {}}],
        [{"name": "f", "arguments": [1]}],
        [{"name": "f", "arguments": "1"}],
        [{"name": "f", "arguments": '{"a": 1, "a": 2}'}],
        [{"name": "f", "arguments": '{"a": NaN}'}],
        [{"name": "f", "arguments": {"a": JsonNumber("1e999")}}],
        [{"name": "f", "arguments": {}, "parameters": {}}],
        [{"type": "custom", "name": "f"}],
        [{"type": "function", "function": "f"}],
    ],
)
def test_malformed_call_is_refused(value):
    with pytest.raises(RowError, match="tool call: ") as error:
        read_calls(value, [])

    assert error.value.code == "tool-call"


def test_number_of_another_spelling_is_noticed():
    draft = chat.to_draft(row('{"price": 19.90}'), chat.Spec())

    assert draft.notices == (("number-respelled", "19.90"),)


@pytest.mark.parametrize("value", [None, "", " ", [], "[]"])
def test_row_may_offer_no_tools(value):
    assert read_tools(value, []) == ()


@pytest.mark.parametrize("tool", [LOOKUP, {"type": "function", **LOOKUP}])
def test_definition_without_its_wrapper_gets_it(tool):
    assert read_tools([tool], []) == ({"type": "function", "function": LOOKUP},)


@pytest.mark.parametrize("value", ["[", '{"name": "f"}', [1], [{"description": "?"}], "null"])
def test_tools_that_are_no_definitions_are_refused(value):
    with pytest.raises(RowError) as error:
        read_tools(value, [])

    assert error.value.code == "tools"
