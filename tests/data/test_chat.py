"""Format `chat`: every spelling of a conversation gives the same turns, and nothing is lost."""

import itertools

import pytest

from foundry.core.records import Turn
from foundry.data import messages as messages_module
from foundry.data import turns as turns_module
from foundry.data.formats import chat
from foundry.data.rows import JsonNumber, RowError
from foundry.data.settling import settle_draft
from foundry.data.turns import settle
from tests.cases import case, change

SPELLINGS = [
    ("messages", "role", "content", "user", "assistant"),
    ("messages", "role", "content", "human", "gpt"),
    ("messages", "from", "value", "human", "bot"),
    ("conversations", "from", "value", "human", "gpt"),
    ("conversations", "role", "value", "user", "model"),
    ("conversation", "from", "content", "human", "assistant"),
    ("dialogue", "role", "content", "Human ", "assistant"),
]


def turns_of(row):
    return chat.to_draft(row, chat.Spec()).turns


def spelled(field, role, text, user, assistant):
    return {field: [{role: user, text: "問"}, {role: assistant, text: "答"}]}


def only_as_written(written):
    return written if written in ("system", "user", "assistant") else None


@case(
    "C57",
    {
        "one spelling is known": change(messages_module, "TEXT_KEYS", ("content",)),
        "a role is what is written": change(turns_module, "role_of", only_as_written),
        "one field is known": change(messages_module, "CHATS", ()),
    },
)
def test_all_spellings_of_a_chat_give_equal_rows(bench):
    narrator = {
        "messages": [{"role": "user", "content": "問"}, {"role": "narrator", "content": "說"}]
    }
    # A question of its own for each row, so that none repeats another.
    rows = [spelled(*names) for names in SPELLINGS]
    for number, row in enumerate(rows):
        [messages] = row.values()
        messages.insert(0, {"role": "system", "content": f"規則{number}"})
    bench.write("a.jsonl", [*rows, narrator])

    manifest = bench.prepare("a.jsonl", format={"kind": "chat"})

    assert {example.messages[1:] for example in bench.part()} == {
        (Turn("user", "問"), Turn("assistant", "答"))
    }
    assert len(bench.part()) == len(SPELLINGS)
    assert manifest.notices["role-respelled"] == 1
    assert manifest.noticed["role-respelled"] == "a.jsonl:7: Human "
    assert bench.refused() == [(8, "unknown-role")]


@pytest.mark.parametrize("key", ["tool_calls", "name", "function_call", "from", "value", "weight"])
def test_key_filled_with_null_is_as_good_as_absent(key):  # C53
    messages = [{"role": "user", "content": "問"}, {"role": "assistant", "content": "答"}]
    filled = [{**message, key: None} for message in messages]

    assert turns_of({"messages": filled, "tools": None, "system": None}) == turns_of(
        {"messages": messages}
    )


USER = {"role": "user", "content": "問"}


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ({"messages": "問"}, "type"),
        ({"messages": [None]}, "type"),
        ({"messages": [{"role": "user", "content": ["問"]}]}, "type"),
        ({"messages": [{"role": "user", "content": {"text": "問"}}]}, "type"),
        ({"messages": [{"role": "user", "from": "human", "content": "問"}]}, "two-spellings"),
        ({"messages": [], "conversations": []}, "two-chats"),
        ({"text": "問"}, "missing-field"),
        ({"messages": [{**USER, "weight": JsonNumber("0")}]}, "unread-key"),
        ({"messages": [{"role": "assistant", "refusal": "不行"}]}, "unread-key"),
        ({"messages": [{**USER, "tool_calls": [{"name": "f"}]}]}, "misplaced-key"),
        ({"messages": [{**USER, "reasoning_content": "想"}]}, "misplaced-key"),
        ({"messages": [{**USER, "tool_call_id": "1"}]}, "misplaced-key"),
        (
            {"messages": [{**USER, "content": [{"type": "reasoning", "value": "x"}]}]},
            "misplaced-key",
        ),
        ({"messages": [{**USER, "content": [{"type": "image_url", "url": "x"}]}]}, "content-part"),
    ],
)
def test_chat_that_would_lose_something_is_refused(row, code):  # C20, C51, C53
    with pytest.raises(RowError) as error:
        turns_of(row)

    assert error.value.code == code


def test_part_that_cannot_be_kept_is_named_with_its_message():
    parts = [
        {"type": "text", "text": "這是什麼？"},
        {"type": "image_url", "image_url": {"url": "x"}},
    ]

    with pytest.raises(RowError, match="message 1: a part of kind `image_url`"):
        turns_of({"messages": [{"role": "user", "content": parts}]})


def test_weight_of_one_changes_nothing():
    assert turns_of({"messages": [{**USER, "weight": JsonNumber("1")}]}) == (Turn("user", "問"),)


def test_parts_are_joined_as_they_stand():
    parts = [
        {"type": "reasoning", "value": "先想"},
        {"type": "text", "value": "一 "},
        {"type": "text", "text": "二\n"},
        {"type": "thinking", "thinking": "再想"},
        {"type": "tool_call", "value": '{"name": "f", "arguments": {}}'},
    ]

    [turn] = turns_of({"messages": [{"role": "assistant", "content": parts}]})

    assert turn.content == "一 二\n"
    assert turn.reasoning == "先想再想"
    assert [call.name for call in turn.tool_calls] == ["f"]


@pytest.mark.parametrize("key", ["reasoning_content", "reasoning", "thinking"])
def test_thoughts_are_kept_apart_from_the_answer(key):
    [turn] = turns_of({"messages": [{"role": "assistant", "content": "答", key: "想"}]})

    assert turn == Turn("assistant", "答", reasoning="想")


def test_thoughts_given_twice_must_be_the_same():
    answer = {"role": "assistant", "content": "答", "reasoning": "想"}

    assert turns_of({"messages": [{**answer, "reasoning_content": "想"}]})[0].reasoning == "想"
    with pytest.raises(RowError, match="`reasoning_content` and `reasoning`"):
        turns_of({"messages": [{**answer, "reasoning_content": "不同"}]})


def test_thoughts_inside_a_text_stay_where_they_are():
    content = "<think>\n想\n</think>\n\n答"

    [turn] = turns_of({"messages": [{"role": "assistant", "content": content}]})

    assert turn == Turn("assistant", content)


def test_system_text_beside_the_messages_comes_first():  # C20
    messages = [{"from": "human", "value": "問"}, {"from": "gpt", "value": "答"}]

    turns = turns_of({"conversations": messages, "system": "規則", "tools": "[]"})

    assert turns[0] == Turn("system", "規則")


def test_no_turn_is_lost_by_any_mixture_of_known_roles():  # C20
    roles = ["system", "human", "gpt", "observation"]
    for shape in itertools.product(roles, repeat=4):
        messages = [{"from": role, "value": str(n)} for n, role in enumerate(shape)]

        assert len(turns_of({"conversations": messages})) == 4


def test_counts_of_turns_balance_for_every_shape_that_is_used():  # C20
    call = '{"name": "f", "arguments": {}}'
    texts = {"function_call": call}
    roles = ["system", "human", "gpt", "function_call", "observation"]
    used = 0
    for shape in itertools.product(roles, repeat=5):
        row = {"conversations": [{"from": r, "value": texts.get(r, "x")} for r in shape]}
        draft = chat.to_draft(row, chat.Spec())
        try:
            settled = settle_draft(draft)
        except RowError:
            continue
        used += 1
        changes = sum(settled.counts.values()) - settled.counts["in"] - settled.counts["out"]
        assert settled.counts["in"] == 5 == settled.counts["out"] + changes
        assert settle(settled.turns).turns == settled.turns
    assert used > 100
