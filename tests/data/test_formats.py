"""Each format says what the row says: no text added, none lost."""

import pytest

from foundry.core import plugins
from foundry.core.records import Turn
from foundry.data.formats import instruction, question_answer, text
from foundry.data.rows import JsonNumber, RowError
from foundry.data.turns import settle


def turns_of(module, row, spec):
    return module.to_draft(row, spec).turns


GOLDEN = {
    "question-answer": (
        {"question": "q", "answer": "a", "context": "c", "system": "s"},
        {"q": "保固多久？", "a": "18個月。", "c": "品名：電鍋\n保固：18個月", "s": "規則"},
        [
            ("system", "規則"),
            ("user", "品名：電鍋\n保固：18個月\n\n保固多久？"),
            ("assistant", "18個月。"),
        ],
    ),
    "instruction": (
        {"system": "system", "history": "history"},
        {
            "instruction": "翻成英文",
            "input": "你好",
            "output": "Hello",
            "system": "你是譯者",
            "history": [["在嗎", " 在 "], ["忙嗎", "不忙"]],
        },
        [
            ("system", "你是譯者"),
            *[("user", "在嗎"), ("assistant", " 在 "), ("user", "忙嗎"), ("assistant", "不忙")],
            *[("user", "翻成英文\n\n你好"), ("assistant", "Hello")],
        ],
    ),
    "chat": (
        {},
        {"messages": [{"role": "user", "content": " 問 "}, {"role": "assistant", "content": "答"}]},
        [("user", " 問 "), ("assistant", "答")],
    ),
    "preference": (
        {"system": "s"},
        {"prompt": "保固多久？", "chosen": "18個月。", "rejected": "不知道。", "s": "規則"},
        [("system", "規則"), ("user", "保固多久？"), ("assistant", "18個月。")],
    ),
    "unpaired-preference": (
        {"label": "好壞"},
        {"prompt": "保固多久？", "completion": "18個月。", "好壞": "false"},
        [("user", "保固多久？"), ("assistant", "18個月。")],
    ),
    "classification": (
        {"text": "text", "label": "category", "labels": ["card_arrival", "退貨"]},
        {"text": " 我的卡還沒到？", "category": "card_arrival"},
        [("user", " 我的卡還沒到？"), ("assistant", "card_arrival")],
    ),
    "squad": (
        {},
        {
            "context": "梵語由陸特開創。\n",
            "question": "誰？",
            "answers": [{"text": "陸特", "answer_start": JsonNumber("3")}],
        },
        [("user", "梵語由陸特開創。\n\n\n誰？"), ("assistant", "陸特")],
    ),
    "multiple-choice": (
        {"options": ["A", "B", "C"], "reply": "letter-and-text", "context": "c"},
        {"question": "首都？", "A": "臺中", "B": " 臺北", "C": "高雄", "answer": "B", "c": "臺灣"},
        [("user", "臺灣\n\n首都？\nA. 臺中\nB.  臺北\nC. 高雄"), ("assistant", "B.  臺北")],
    ),
    "extraction": (
        {"record": "record"},
        {"text": "電鍋 1,200 元", "record": {"品名": "電鍋", "價": JsonNumber("1200.00")}},
        [("user", "電鍋 1,200 元"), ("assistant", '{"品名": "電鍋", "價": 1200.00}')],
    ),
}


def test_every_format_has_a_golden_row():
    assert set(plugins.names("format")) - {"auto", "text"} == set(GOLDEN)


@pytest.mark.parametrize("kind", GOLDEN)
def test_golden_row_becomes_its_turns(kind):
    settings, row, turns = GOLDEN[kind]
    module = plugins.load("format", kind)

    found = turns_of(module, row, module.Spec.model_validate(settings))

    assert [(turn.role, turn.content) for turn in found] == turns


def test_text_is_kept_to_the_last_space():
    assert text.to_draft({"text": " 一段\n文字 "}, text.Spec()).text == " 一段\n文字 "


@pytest.mark.parametrize("blank", ["", " \n", None])
def test_text_without_a_word_is_refused(blank):  # C50
    with pytest.raises(RowError) as error:
        text.to_draft({"text": blank}, text.Spec())

    assert error.value.code == "empty-text"


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


@pytest.mark.parametrize("history", [None, [], ""])
def test_row_may_have_no_history(history):  # C52
    row = {"instruction": "問", "output": "答", "history": history}

    turns = turns_of(instruction, row, instruction.Spec(history="history"))

    assert turns == (Turn("user", "問"), Turn("assistant", "答"))


@pytest.mark.parametrize(
    "history", ["在嗎", ["在嗎"], [["在嗎"]], [["在嗎", "在", "?"]], [[["x"], "y"]]]
)
def test_history_that_is_no_list_of_pairs_is_refused(history):  # C51
    row = {"instruction": "問", "output": "答", "history": history}

    with pytest.raises(RowError) as error:
        turns_of(instruction, row, instruction.Spec(history="history"))

    assert error.value.code == "type"


def test_column_the_recipe_does_not_name_need_not_exist():
    assert instruction.columns(instruction.Spec()) == ("instruction", "output")
    assert "input" in instruction.columns(instruction.Spec(input="input"))
