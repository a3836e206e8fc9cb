"""Each format says what the row says: no text added, none lost."""

import itertools

import pytest

from foundry.core import plugins
from foundry.core.records import Turn
from foundry.data.formats import chat, instruction, question_answer
from foundry.data.rows import RowError
from foundry.data.turns import settle


def turns_of(module, row, spec):
    return module.to_draft(row, spec).turns


GOLDEN = {
    "question-answer": (
        {"question": "q", "answer": "a", "context": "c"},
        {"question": "保固多久？", "answer": "18個月。", "context": "品名：電鍋\n保固：18個月"},
        [("user", "品名：電鍋\n保固：18個月\n\n保固多久？"), ("assistant", "18個月。")],
    ),
    "instruction": (
        {"system": "system"},
        {"instruction": "翻成英文", "input": "你好", "output": "Hello", "system": "你是譯者"},
        [("system", "你是譯者"), ("user", "翻成英文\n\n你好"), ("assistant", "Hello")],
    ),
    "chat": (
        {},
        {"messages": [{"role": "user", "content": " 問 "}, {"role": "assistant", "content": "答"}]},
        [("user", " 問 "), ("assistant", "答")],
    ),
}


def test_every_format_has_a_golden_row():
    assert set(plugins.names("format")) == set(GOLDEN)


@pytest.mark.parametrize("kind", GOLDEN)
def test_golden_row_becomes_its_turns(kind):
    names, row, turns = GOLDEN[kind]
    if kind == "question-answer":
        row = {names[field]: text for field, text in row.items()}
    module = plugins.load("format", kind)

    found = turns_of(module, row, module.Spec.model_validate(names))

    assert [(turn.role, turn.content) for turn in found] == turns


@pytest.mark.parametrize("blank", ["", " \u3000", None])
def test_blank_context_leaves_the_question_alone(blank):  # C50
    spec = question_answer.Spec(context="context")

    turns = turns_of(question_answer, {"question": "問", "answer": "答", "context": blank}, spec)

    assert turns[0] == Turn("user", "問")


def test_context_alone_is_no_question():
    spec = question_answer.Spec(context="context")
    row = {"question": "", "answer": "答", "context": "資料"}

    with pytest.raises(RowError, match="question is empty"):
        settle(turns_of(question_answer, row, spec))


@pytest.mark.parametrize("row", [{}, {"input": ""}, {"input": None}])
def test_blank_or_absent_input_leaves_the_instruction_alone(row):  # C50, C52
    turns = turns_of(instruction, {"instruction": "問", "output": "答", **row}, instruction.Spec())

    assert turns == (Turn("user", "問"), Turn("assistant", "答"))


def test_system_text_comes_only_where_the_row_has_it():  # C52
    spec, row = instruction.Spec(system="system"), {"instruction": "問", "output": "答"}

    without = turns_of(instruction, {**row, "system": None}, spec)
    with_text = turns_of(instruction, {**row, "system": "規則"}, spec)

    assert without == turns_of(instruction, row, spec)
    assert with_text == (Turn("system", "規則"), *without)


def test_column_the_recipe_does_not_name_need_not_exist():
    assert instruction.columns(instruction.Spec()) == ("instruction", "output")
    assert "input" in instruction.columns(instruction.Spec(input="input"))


SPELLINGS = [
    ("messages", "role", "content", "user", "assistant"),
    ("messages", "role", "content", "human", "gpt"),
    ("messages", "from", "value", "human", "bot"),
    ("conversations", "from", "value", "human", "gpt"),
    ("conversations", "role", "value", "user", "model"),
    ("conversations", "from", "content", "Human ", "assistant"),
]


@pytest.mark.parametrize(("field", "role", "text", "user", "assistant"), SPELLINGS)
def test_spelling_of_a_chat_does_not_matter(field, role, text, user, assistant):  # C57
    row = {field: [{role: user, text: "問"}, {role: assistant, text: "答"}]}

    settled = settle(turns_of(chat, row, chat.Spec()))

    assert settled.turns == (Turn("user", "問"), Turn("assistant", "答"))


@pytest.mark.parametrize("key", ["tool_calls", "name", "function_call", "from", "value", "weight"])
def test_key_filled_with_null_is_as_good_as_absent(key):  # C53
    messages = [{"role": "user", "content": "問"}, {"role": "assistant", "content": "答"}]
    filled = [{**message, key: None} for message in messages]

    alone = turns_of(chat, {"messages": messages}, chat.Spec())

    assert turns_of(chat, {"messages": filled, "tools": None, "system": None}, chat.Spec()) == alone


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ({"messages": "問"}, "type"),
        ({"messages": [None]}, "type"),
        ({"messages": [{"role": "user", "content": ["問"]}]}, "type"),
        ({"messages": [{"role": "user", "from": "human", "content": "問"}]}, "two-spellings"),
        ({"messages": [], "conversations": []}, "two-chats"),
        ({"text": "問"}, "missing-field"),
        ({"messages": [{"role": "assistant", "content": "", "tool_calls": [1]}]}, "unread-key"),
        (
            {"messages": [{"role": "user", "content": "問"}], "tools": '[{"name": "f"}]'},
            "unread-key",
        ),
    ],
)
def test_chat_that_would_lose_something_is_refused(row, code):  # C20, C53, C59
    with pytest.raises(RowError) as error:
        turns_of(chat, row, chat.Spec())

    assert error.value.code == code


def test_system_text_beside_the_messages_comes_first():  # C20
    messages = [{"from": "human", "value": "問"}, {"from": "gpt", "value": "答"}]

    turns = turns_of(
        chat, {"conversations": messages, "system": "規則", "tools": "[]"}, chat.Spec()
    )

    assert turns[0] == Turn("system", "規則")


def test_no_turn_is_lost_by_any_mixture_of_known_roles():  # C20
    roles = ["system", "human", "gpt"]
    for shape in itertools.product(roles, repeat=4):
        messages = [{"from": role, "value": str(n)} for n, role in enumerate(shape)]

        assert len(turns_of(chat, {"conversations": messages}, chat.Spec())) == 4
