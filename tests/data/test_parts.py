"""Train and test have nothing in common, and no row ever changes sides (C27)."""

import random

import numpy as np
import pytest

from foundry.core.errors import DataError
from foundry.data import duplicates, keys, parts, prepare
from tests.cases import case, change

HEADER = "question,answer,product\n"


def pairs(part):
    return [(e.messages[-2].content, e.answer) for e in part]


def table(rows):
    return HEADER + "".join(f"{','.join(row)}\n" for row in rows)


# --- C27: a hundred rows; ten are copies, five differ in width or space, twenty are of 4 documents


def hundred_rows():
    rows = [(f"問題{n:02}", f"答案{n:02}", f"商品{n}") for n in range(65)]
    copies = rows[:10]
    similar = [(f" 問題{n:02}", f"答案{n:02}　", f"商品{n}") for n in range(20, 25)]
    chunks = [(f"段落{n}", f"內容{n}", f"文件{n % 4}") for n in range(20)]
    return [*rows, *copies, *similar, *chunks]


SPLIT = {"test": 0.3, "group_by": "product", "seed": 0}


def drawn(key, split, seed=None):
    """Sides that forget seed and group: another draw each time."""
    return int(random.random() < split.test)


def no_two_alike(files):
    """Texts as they are without a look at what they say."""
    return np.arange(sum(map(len, files)))


def no_refusal(*_):
    return None


TORN = change(keys, "group_key", lambda example, prompt: f"row {example.id}")
DRAWN = change(keys, "side_of", drawn)


@case(
    "C27",
    {
        "texts are compared as written": change(duplicates, "normalise", str),
        "nothing is compared": change(parts, "_texts", no_two_alike),
        "a document is torn apart": TORN,
    },
)
def test_no_text_and_no_group_is_on_both_sides(bench):
    bench.write("a.csv", table(hundred_rows()))

    manifest = bench.prepare("a.csv", split=SPLIT)

    train, test = bench.part("train"), bench.part("test")
    assert manifest.refused_by_code == {"duplicate": 15}
    assert len(train) + len(test) == 85
    assert not {e.group for e in train} & {e.group for e in test}
    assert manifest.overlap["test"]["removed_from_train"] == 0


@case("C27", {"the seed is forgotten": DRAWN})
def test_adding_rows_and_copies_moves_no_old_row(bench):
    bench.write("a.csv", table(hundred_rows()))
    bench.prepare("a.csv", split=SPLIT)
    before = {e.line for e in bench.part("test")}

    # New products, new rows of old products, and old rows under another product.
    more = [(f"新{n}", f"新{n}", f"商品{n}") for n in range(100)]
    moved = [(q, a, f"商品{n}") for n, (q, a, _p) in enumerate(reversed(hundred_rows()))]
    bench.write("a.csv", table([*hundred_rows(), *more, *moved]))
    bench.prepare("a.csv", split=SPLIT)

    assert {e.line for e in bench.part("test") if e.line <= 101} == before


@case(
    "C27",
    {
        "texts are compared as written": change(duplicates, "normalise", str),
        "nothing is compared": change(parts, "_texts", no_two_alike),
        "other answers are not looked for": change(
            parts, "other_answers", lambda names, *_: dict.fromkeys(names, 0)
        ),
    },
)
def test_row_of_a_named_test_is_taken_out_of_training(bench):
    bench.write("a.csv", table([("問", "答", "鍋"), ("ＡＢ", "答 二", "鍋"), ("問", "否", "盤")]))
    bench.write("exam.csv", table([("ab", "答　二", "碗"), ("問", "答三", "碗")]))

    manifest = bench.prepare("a.csv", tests=[{"name": "exam", "path": "exam.csv"}])

    assert pairs(bench.part()) == [("問", "答"), ("問", "否")]
    assert bench.refused() == [(3, "in-test")]
    assert manifest.overlap == {"exam": {"removed_from_train": 1, "same_prompt_other_answer": 1}}
    assert manifest.notices == {"same-prompt-other-answer": 2}


@case("C27", {"values are not compared": change(prepare, "refuse_shared_values", no_refusal)})
def test_value_that_must_not_be_shared_is_named_with_its_lines(bench):
    bench.write("a.csv", table([("問", "答", "鍋"), ("問二", "答", "盤"), ("問三", "答", "")]))
    bench.write(
        "exam.csv", table([("問四", "答", ""), ("問五", "答", "碗"), ("問六", "答", "盤 ")])
    )
    tests = [{"name": "exam", "path": "exam.csv", "disjoint_by": "product"}]

    with pytest.raises(DataError) as error:
        bench.prepare("a.csv", tests=tests)

    (problem,) = error.value.problems
    assert problem.where == "exam.csv:4"
    assert "`盤 `" in problem.what
    assert "a.csv:3" in problem.what


def test_test_part_is_grouped_by_what_keeps_it_apart(bench):
    bench.write("a.csv", table([("問", "答", "鍋")]))
    bench.write("exam.csv", table([("問四", "答", "碗"), ("問五", "答", "碗"), ("問六", "答", "")]))
    tests = [{"name": "exam", "path": "exam.csv", "disjoint_by": "product"}]

    manifest = bench.prepare("a.csv", tests=tests)

    assert manifest.part("exam").groups == 2
    assert [e.group == e.id for e in bench.part("exam")] == [False, False, True]


def test_row_is_measured_once(bench):
    bench.write("a.csv", table([("問", "答", "鍋")]))
    bench.write("exam.csv", table([("問四", "答", "碗"), ("問四 ", "答", "碗")]))

    manifest = bench.prepare("a.csv", tests=[{"name": "exam", "path": "exam.csv"}])

    assert manifest.part("exam").rows == 1
    assert bench.refused() == [(3, "duplicate")]
