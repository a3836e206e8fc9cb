"""A format is guessed only where exactly one can be meant; otherwise the recipe is told how."""

import pytest
import yaml

from foundry.core.blocks import Block
from foundry.core.errors import DataError
from foundry.data.formats import auto, question_answer
from foundry.data.guess import resolve, shown
from foundry.data.recipe_lines import recipe_line
from foundry.data.rows import JsonNumber

AUTO = Block(kind="auto", spec=auto.Spec())
MESSAGES = [{"role": "user", "content": "問"}, {"role": "assistant", "content": "答"}]
SHAREGPT = [{"from": "human", "value": "問"}, {"from": "gpt", "value": "答"}]

CERTAIN = [
    ({"question": "問", "answer": "答"}, {"kind": "question-answer"}),
    ({"Question": "問", "Answer": "答"}, {"question": "Question", "answer": "Answer"}),
    ({"問題": "問", "回答": "答", "編號": "1"}, {"question": "問題", "answer": "回答"}),
    ({"問": "問", "答": "答", "資料": ""}, {"question": "問", "answer": "答", "context": "資料"}),
    ({"prompt": "問", "completion": "答"}, {"question": "prompt", "answer": "completion"}),
    ({"query": "問", "response": "答"}, {"question": "query", "answer": "response"}),
    ({"input": "問", "output": JsonNumber("4")}, {"question": "input", "answer": "output"}),
    ({"system_prompt": "", "question": "問", "response": "答"}, {"system": "system_prompt"}),
    ({"instruction": "問", "input": "", "output": "答"}, {"kind": "instruction"}),
    ({"instruction": "問", "output": "答"}, {"kind": "instruction"}),
    (
        {"instruction": "問", "output": "答", "system": "", "history": []},
        {"kind": "instruction", "system": "system", "history": "history"},
    ),
    (
        {"instruction": "問", "context": "", "response": "答", "category": "qa"},
        {"kind": "instruction", "input": "context", "output": "response"},
    ),
    ({"messages": MESSAGES}, {"kind": "chat", "messages": "messages"}),
    ({"conversations": SHAREGPT, "tools": "[]"}, {"kind": "chat", "messages": "conversations"}),
    ({"對話": MESSAGES, "id": "1"}, {"kind": "chat", "messages": "對話"}),
    (
        {"conversations": SHAREGPT[:1], "chosen": SHAREGPT[1], "rejected": {"from": "gpt"}},
        {"kind": "preference", "prompt": "conversations"},
    ),
    (
        {"question": "問", "chosen": "好", "rejected": "壞", "system": ""},
        {"kind": "preference", "prompt": "question", "system": "system"},
    ),
    (
        {"instruction": "問", "input": "", "chosen": "好", "rejected": "壞"},
        {"kind": "preference", "prompt": "instruction", "input": "input"},
    ),
    (
        {
            "prompt": "問",
            "messages": MESSAGES,
            "chosen": MESSAGES,
            "rejected": MESSAGES,
            "score": "",
        },
        {"kind": "preference", "prompt": None},
    ),
    ({"messages": MESSAGES, "label": True}, {"kind": "unpaired-preference", "label": "label"}),
    (
        {"prompt": "問", "completion": "答", "label": "False"},
        {"kind": "unpaired-preference", "prompt": "prompt", "completion": "completion"},
    ),
    (
        {"instruction": "問", "input": "", "output": "答", "kto_tag": False},
        {"kind": "unpaired-preference", "input": "input", "label": "kto_tag"},
    ),
    ({"text": "文"}, {"kind": "text", "text": "text"}),
    (
        {"id": JsonNumber("1"), "url": "", "標題": "", "內容": "文"},
        {"kind": "text", "text": "內容"},
    ),
    ({"text": "問", "category": "card_arrival"}, {"kind": "classification", "label": "category"}),
    (
        {"question": "問", "label": "退貨", "id": "1"},
        {"kind": "classification", "text": "question"},
    ),
    (
        {"question": "問", "options": ["甲", "乙"], "answer": "B"},
        {"kind": "multiple-choice", "options": "options", "first": None},
    ),
    (
        {"題號": "1", "question": "問", "A": "甲", "B": "乙", "C": "", "answer": "A"},
        {"kind": "multiple-choice", "options": ("A", "B", "C"), "answer": "answer"},
    ),
    (
        {"question": "問", "choices": ["甲", "乙"], "answer": JsonNumber("0")},
        {"kind": "multiple-choice", "first": 0},
    ),
    (
        {
            "id": "",
            "question": "問",
            "context": "文",
            "answers": [{"text": "答"}],
            "is_impossible": False,
        },
        {"kind": "squad", "context": "context"},
    ),
    ({"text": "文", "json": {"a": "1"}}, {"kind": "extraction", "record": "json"}),
    ({"input": "文", "output": {"a": "1"}}, {"kind": "extraction", "record": "output"}),
]


@pytest.mark.parametrize(("row", "settings"), CERTAIN)
def test_format_of_known_columns_is_certain(row, settings):
    block, guessed = resolve(AUTO, [row], "a.jsonl")

    assert guessed
    assert settings.items() <= block.model_dump().items()


def test_format_that_the_recipe_names_is_left_alone():
    block = Block(kind="question-answer", spec=question_answer.Spec(question="x"))

    assert resolve(block, [{"messages": MESSAGES}], "a.jsonl") == (block, False)


@pytest.mark.parametrize(
    ("row", "line"),
    [
        # A column that may be facts, or a second answer: what it is only a person knows.
        (
            {"問題": "問", "回答": "答", "商品資料": "資料"},
            "format: {kind: question-answer, question: 問題, answer: 回答}",
        ),
        (
            {"instruction": "問", "output": "答", "備註": ""},
            "format: {kind: instruction, instruction: instruction, output: output}",
        ),
        (
            {"question": "問", "A": "甲", "B": "乙", "answer": "A", "explanation": "因為"},
            "format: {kind: multiple-choice, question: question, options: [A, B], answer: answer}",
        ),
    ],
)
def test_unknown_column_is_a_doubt_and_the_line_to_paste_is_shown(row, line):
    with pytest.raises(DataError) as error:
        resolve(AUTO, [row], "a.csv")

    [problem] = error.value.problems
    assert problem.where == "a.csv"
    assert ", ".join(row) in problem.what
    assert line in problem.fix


@pytest.mark.parametrize(
    "row",
    [
        {"text": "文", "category": "1", "label": "2"},  # two labels
        {"text": "文", "label": JsonNumber("3")},  # a class without a name
        {"prompt": "問", "question": "問", "answer": "答"},
        {"question": "問", "answer": "答", "context": "文", "背景": "文"},
        {"chosen": "\n\nHuman: 問", "rejected": "\n\nHuman: 問"},
        {"question": "問", "choices": ["甲", "乙", "丙"], "answer": JsonNumber("1")},  # 甲 or 乙?
    ],
)
def test_what_can_be_meant_in_two_ways_is_not_guessed(row):
    with pytest.raises(DataError):
        resolve(AUTO, [row], "a.jsonl")


def test_columns_nobody_knows_give_an_example_and_the_kinds():
    with pytest.raises(DataError, match="the columns are: 甲, 乙") as error:
        resolve(AUTO, [{"甲": "1", "乙": "2"}], "a.csv")

    assert "question-answer" in error.value.problems[0].fix
    assert "auto" not in error.value.problems[0].fix


def test_mixture_of_two_formats_in_equal_parts_names_both():
    rows = [{"messages": MESSAGES}, {"instruction": "問", "output": "答"}]

    with pytest.raises(DataError) as error:
        resolve(AUTO, rows, "a.jsonl")

    assert "kind: chat" in error.value.problems[0].fix
    assert "kind: instruction" in error.value.problems[0].fix


def test_few_faulty_rows_do_not_hide_the_format():
    rows = [{"messages": MESSAGES}] * 3 + [{"messages": "問"}, {"messages": None}]

    assert resolve(AUTO, rows, "a.jsonl")[0].kind == "chat"


def test_rows_of_another_format_among_chats_are_refused_by_line(bench):
    other = {"instruction": "問", "output": "答"}
    chats = [{"messages": [{"role": "user", "content": str(n)}, MESSAGES[1]]} for n in range(3)]
    bench.write("a.jsonl", [chats[0], other, *chats[1:]])

    bench.prepare("a.jsonl", format={"kind": "auto"})

    assert bench.refused() == [(2, "missing-field")]
    assert len(bench.part()) == 3


def test_chats_under_two_names_in_one_file_are_read_alike():  # C57
    block, _guessed = resolve(AUTO, [{"messages": MESSAGES}, {"conversations": SHAREGPT}], "a")

    assert block.kind == "chat"
    assert "messages" not in block.spec.model_fields_set


def test_file_without_rows_is_not_certain():
    with pytest.raises(DataError, match="no row can be read"):
        resolve(AUTO, [], "a.csv")


def test_column_that_the_recipe_splits_by_is_no_doubt():
    rows = [{"問題": "問", "回答": "答", "商品": "電鍋"}]

    block, _guessed = resolve(AUTO, rows, "a.csv", beside=["商品", None])

    assert block.kind == "question-answer"


def test_column_that_is_split_by_may_be_the_question_too():
    rows = [{"question": "問", "answer": "答"}]

    assert resolve(AUTO, rows, "a.csv", beside=["question"])[0].kind == "question-answer"


@pytest.mark.parametrize("column", ["問題", "a: b", "#", "{x}", "yes", "1.0", "'", "長" * 200])
def test_line_to_paste_is_yaml_whatever_the_column_is_called(column):
    line = recipe_line("format", "question-answer", {"question": column, "answer": "a"})

    assert "\n" not in line
    assert yaml.safe_load(line) == {
        "format": {"kind": "question-answer", "question": column, "answer": "a"}
    }


def test_guess_is_shown_with_what_it_says():
    rows = [{"chosen": MESSAGES, "rejected": MESSAGES}]

    line = shown(resolve(AUTO, rows, "a.jsonl")[0].model_dump())

    assert line.startswith("format: {kind: preference, prompt: null, chosen: chosen")
    assert "input" not in line


def test_format_may_be_left_out_of_a_recipe_and_each_file_has_its_own(bench):
    bench.write("a.csv", "問題,回答,商品\n幾點,三點,鐘\n多少,三百,鍋\n")
    bench.write("b.jsonl", [{"messages": MESSAGES}, {"messages": [*MESSAGES, *MESSAGES]}])

    manifest = bench.prepare(
        "a.csv", "b.jsonl", format={"kind": "auto"}, split={"test": 0.5, "group_by": "商品"}
    )

    assert [source.format["kind"] for source in manifest.sources] == ["question-answer", "chat"]
    assert all(source.guessed for source in manifest.sources)
    assert manifest.rows_used == 4


@pytest.mark.parametrize(
    ("row", "line"),
    [
        (
            {"question": "問", "选项": ["甲", "乙"], "answerkey": "A"},
            "format: {kind: multiple-choice, question: question, options: 选项, answer: answerkey}",
        ),
        (
            {"question": "問", "better": "好", "worse": "壞"},
            "format: {kind: preference, prompt: question, chosen: better, rejected: worse}",
        ),
        ({"document": "文", "record": {"價": "1"}}, "format: {kind: extraction, text: document"),
        ({"review": "好", "label": "正"}, "format: {kind: classification, text: review"),
    ],
)
def test_names_that_one_format_alone_looks_for_are_known_to_the_error_too(row, line):
    with pytest.raises(DataError) as error:
        resolve(AUTO, [{**row, "foo": "?"}], "a.jsonl")

    assert line in error.value.problems[0].fix
