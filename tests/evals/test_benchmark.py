"""What a benchmark asks: its rows, the draw, the worked examples, the words around a question."""

import json
from collections import Counter
from pathlib import Path

import pytest

from foundry.core import plugins
from foundry.core.errors import DataError, ResourceError
from foundry.evals.answers import Answer
from foundry.evals.benchmark import OPTION_COUNT, Wanted, load_task
from foundry.evals.benchmarking import likeliest
from foundry.evals.benchmarks import perplexity
from foundry.evals.evaluators import classification, multiple_choice
from foundry.runtime.contract import LogLikelihood


@pytest.fixture
def choices(tmp_path: Path) -> Path:
    rows = [f"第{n}題？,甲{n},乙{n},丙{n},丁{n},{'ABCD'[n % 4]}" for n in range(40)]
    path = tmp_path / "geography.csv"
    path.write_text("\n".join(["question,A,B,C,D,answer", *rows]) + "\n", encoding="utf-8")
    return path


def ids(task) -> set[str]:
    return {item.example.id for item in task.items}


def test_question_of_many_choices_ends_before_its_letter(choices: Path):
    task = load_task("twinkle", choices, Wanted(few_shot=1, limit=5))

    text = task.text(task.items[0].example)
    first, shot, asked = text.split("\n\n")
    assert first == "以下是單選題，回答正確選項的英文字母。"
    assert shot[-1] in "ABCD"
    assert asked.endswith("\n答案：")
    assert [line[:3] for line in asked.splitlines()[1:5]] == ["A. ", "B. ", "C. ", "D. "]


def test_only_the_options_of_a_row_are_chosen_from(tmp_path: Path):
    path = tmp_path / "data.csv"
    path.write_text("question,A,B,C,D,answer\n一？,甲,乙,,,B\n二？,甲,乙,丙,丁,D\n", "utf-8")

    task = load_task("twinkle", path, Wanted(few_shot=0))

    assert [item.example.fields[OPTION_COUNT] for item in task.items] == ["2", "4"]


def test_texts_of_the_options_are_answers_and_letters_are_what_is_right(tmp_path: Path):
    path = tmp_path / "data.csv"
    path.write_text("question,A,B,C,D,answer\n一？,B型,A型,,,B\n二？,甲,乙,丙,丁,D\n", "utf-8")

    task = load_task("twinkle-text", path, Wanted(few_shot=0))

    first, second = (item.example for item in task.items)
    assert (first.answer, second.answer) == ("A型", "丁")
    assert list(task.option_texts(first)) == ["B型", "A型"]
    assert multiple_choice.score(task.items[0], said("B"), multiple_choice.Spec()) == 1
    assert multiple_choice.score(task.items[0], said("A"), multiple_choice.Spec()) == 0


def said(text: str) -> Answer:
    return Answer("", text, 1, stopped=True)


def test_written_choice_is_asked_as_the_letters_are(choices: Path):
    letters, written = (
        load_task(name, choices, Wanted(few_shot=2)) for name in ("twinkle", "twinkle-written")
    )

    assert [letters.text(i.example) for i in letters.items] == [
        written.text(i.example) for i in written.items
    ]


@pytest.mark.parametrize(
    ("sums", "sizes", "chosen"),
    [((-3.0, -2.0), (1, 1), "B"), ((-3.0, -2.0), (3, 1), "A"), ((-2.0, -2.0), (1, 1), "")],
)
def test_likeliest_option_is_that_per_token_and_none_of_equals(sums, sizes, chosen: str):
    worths = [LogLikelihood(s, n, False) for s, n in zip(sums, sizes, strict=True)]

    assert likeliest(("A", "B"), worths) == chosen


def test_row_that_lends_an_example_is_not_asked(choices: Path):
    task = load_task("twinkle", choices, Wanted(few_shot=4))

    assert len(task.items) == 36
    assert ids(task).isdisjoint(task.said["shots"])


def test_draw_is_the_seeds_and_a_smaller_one_is_part_of_a_larger(choices: Path):
    few, more, other = (
        ids(load_task("twinkle", choices, Wanted(limit=n, seed=seed)))
        for n, seed in ((5, 0), (20, 0), (20, 1))
    )

    assert few < more
    assert more != other
    assert more == ids(load_task("twinkle", choices, Wanted(limit=20)))


def test_conversation_has_the_same_questions(choices: Path):
    task = load_task("twinkle", choices, Wanted(few_shot=1, chat=True))

    turns = task.turns(task.items[0].example)
    assert [turn.role for turn in turns] == ["user", "assistant", "user"]
    assert turns[0].content.startswith(task.template)
    assert turns[-1] == task.items[0].example.prompt[-1]


def test_every_reference_of_a_question_is_kept_and_articles_are_groups(tmp_path: Path):
    questions = [
        {"question": "多少錢？", "answers": [{"text": "三元"}, {"text": "3元"}]},
        {"question": "為什麼？", "answers": []},
        {"question": "多久？", "answers": [{"text": "一年"}]},
    ]
    paragraph = {"context": "三元，一年。", "qas": questions}
    document = {"data": [{"title": "甲", "paragraphs": [paragraph, paragraph]}]}
    path = tmp_path / "DRCD_test.json"
    path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")

    task = load_task("drcd", tmp_path, Wanted(few_shot=0))

    examples = [item.example for item in task.items]
    assert [json.loads(e.fields["answers"]) for e in examples] == [["三元", "3元"], ["一年"]] * 2
    assert Counter(e.group for e in examples) == {"甲": 4}
    assert task.text(examples[0]).endswith("文章：\n三元，一年。\n問題：多少錢？\n答案：")


def test_intents_of_the_file_stand_before_every_prompt(tmp_path: Path):
    path = tmp_path / "banking77_test.csv"
    path.write_text('text,category\n"Where, then?",card_arrival\nHow?,top_up\nWhen?,top_up\n')

    task = load_task("banking77", tmp_path, Wanted(few_shot=0))

    assert task.text(task.items[0].example) == (
        "Say which of these intents a bank's customer has: card_arrival, top_up.\n\n"
        "Customer: Where, then?\nIntent:"
    )


def test_intent_that_was_not_drawn_is_none_that_is_asked_about(tmp_path: Path):
    path = tmp_path / "banking77_test.csv"
    path.write_text("text,category\nA?,not_working\nB?,card_not_working\n", encoding="utf-8")

    for seed in range(9):  # either question may be drawn
        task = load_task("banking77", path, Wanted(few_shot=0, limit=1, seed=seed))
        (block,), (item,) = task.evals, task.items
        spec = classification.settle([item], block.spec)
        if item.example.answer == "not_working":
            break

    assert spec.labels == ("card_not_working", "not_working")
    said = Answer("a", "card not working", 3, stopped=True)
    assert classification.score(item, said, spec) == 0.0


@pytest.mark.parametrize(
    "text",
    [
        *("一\n二\n三\n", "句" * 2500, "短\n" + "長" * 1500 + "\n短\n"),
        *("a" * 999 + "\n" + "b" * 10, "\n\n\n"),
    ],
)
def test_pieces_are_the_text_and_none_is_too_long(text: str):
    found = [piece for _line, piece in perplexity.pieces(text)]

    assert "".join(found).split() == text.split()
    assert all(0 < len(piece) <= perplexity.LONGEST for piece in found)


def test_piece_has_the_line_it_begins_on():
    text = "\n".join(["字" * 600] * 4)

    assert [line for line, _piece in perplexity.pieces(text)] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("name", "content", "place"),
    [
        ("twinkle", "question,A,B,C,D,answer\n一？,甲,乙,丙,丁,E\n", "data.csv:2"),
        ("twinkle", "question,A,answer\n一？,甲,A\n", "data.csv:2"),
        ("banking77", "text,label\nhi,a\n", "data.csv:2"),
    ],
)
def test_row_that_cannot_be_asked_is_named(tmp_path: Path, name: str, content: str, place: str):
    (tmp_path / "data.csv").write_text(content, encoding="utf-8")

    with pytest.raises(DataError, match=place):
        load_task(name, tmp_path / "data.csv", Wanted())


def test_folder_without_the_benchmarks_files_is_told(tmp_path: Path):
    with pytest.raises(ResourceError, match=r"looked for: DRCD\*\.json"):
        load_task("drcd", tmp_path, Wanted())


def test_examples_that_leave_nothing_to_ask_are_told(choices: Path):
    with pytest.raises(DataError, match="no row is left to ask"):
        load_task("twinkle", choices, Wanted(few_shot=40))


@pytest.mark.parametrize("name", plugins.names("benchmark"))
def test_benchmark_says_what_it_is(name: str):
    module = plugins.load("benchmark", name)

    assert set(module.TITLE) == {"en", "zh-TW"}
    assert module.version >= 1
    assert {entry["kind"] for entry in module.EVALS} <= set(plugins.names("evaluator"))


def test_files_of_one_name_are_told_apart(tmp_path: Path):
    for folder, text in (("a", "短文"), ("b", "一篇比較長的文章")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "index.md").write_text(text, encoding="utf-8")

    task = load_task("perplexity", tmp_path, Wanted())

    assert ids(task) == {"a-index-1", "b-index-1"}
    assert {item.part for item in task.items} == {"a-index", "b-index"}
    assert set(task.said["files"]) == {"a-index.md", "b-index.md"}
    (tmp_path / "a-index.md").write_text("第三篇", encoding="utf-8")
    with pytest.raises(DataError, match="another file has the same name"):
        load_task("perplexity", tmp_path, Wanted())
