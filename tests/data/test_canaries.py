"""Canaries enter training only when asked for, are counted apart, and are like the rows beside."""

import json
import re
from dataclasses import replace

from foundry.core.recipe import Data
from foundry.core.records import Turn
from foundry.data.canaries import (
    SECRETS,
    Canaries,
    canary_rows,
    is_canary,
    others,
    secret,
)
from foundry.data.prepare import prepare
from foundry.data.telling import summary
from tests.data.conftest import DECLARATION, Bench
from tests.encoders import example

ROWS = "問題,回答\n" + "".join(f"第{n}題？,第{n}個答案。\n" for n in range(8))
FORMAT = {"kind": "question-answer", "question": "問題", "answer": "回答"}
ASKED = Canaries(count=3, repeats=4, seed=7)


def made(bench: Bench, canaries: Canaries | None):
    bench.write("a.csv", ROWS)
    source = {"path": "a.csv", "licence": "CC0-1.0", "declaration": DECLARATION}
    block = {"format": FORMAT, "sources": [source], "split": {"test": 0.3}}
    data = Data.model_validate(block)
    return prepare(data, folder=bench.folder, out=bench.out, canaries=canaries)


def test_no_canary_enters_unasked(bench: Bench):
    manifest = made(bench, None)

    assert manifest.planted == 0
    assert "canaries" not in manifest.notices
    assert not any(map(is_canary, bench.part()))


def test_canaries_are_in_train_alone_and_counted_apart_from_the_rows_of_files(bench: Bench):
    without = made(bench, None)
    manifest = made(bench, ASKED)

    planted = [row for row in bench.part() if is_canary(row)]
    assert len(planted) == manifest.planted == manifest.notices["canaries"] == 12
    assert not any(map(is_canary, bench.part("test")))
    assert manifest.rows_used == without.rows_used == 8
    assert manifest.part("train").rows == without.part("train").rows + 12
    assert manifest.part("train").groups == without.part("train").groups + 3
    assert manifest.part("test") == without.part("test")
    assert json.loads((bench.out / "manifest.json").read_text("utf-8"))["planted"] == 12
    assert summary(manifest.as_dict())["planted"] == 12


def test_each_canary_stands_as_often_as_asked_with_ids_of_its_own():
    rows = list(canary_rows(ASKED, example("問", "答")))

    assert len({row.id for row in rows}) == len(rows) == 12
    assert len({secret(row) for row in rows}) == 3
    assert {len([r for r in rows if r.answer == one.answer]) for one in rows} == {4}
    assert all(re.search(r"\d{3}-\d{3}-\d{3}", row.answer)[0] == secret(row) for row in rows)


def test_a_seed_decides_the_secrets():
    first, second = (
        [secret(row) for row in canary_rows(Canaries(3, 1, seed), example("問", "答"))]
        for seed in (1, 2)
    )

    assert first == [secret(r) for r in canary_rows(Canaries(3, 1, 1), example("問", "答"))]
    assert not {*first} & {*second}


def test_canaries_are_of_the_dataset_type_of_the_rows_beside():
    asked, talk = Canaries(1, 1, 0), example("問", "答")
    kinds = [
        talk,
        replace(talk, rejected=Turn("assistant", "不")),
        replace(talk, label=False),
        replace(talk, messages=(), text="一段文字"),
    ]

    assert [next(canary_rows(asked, like)).type for like in kinds] == [k.type for k in kinds]


def test_candidates_are_drawn_like_the_secret_and_are_not_it():
    (row,) = canary_rows(Canaries(1, 1, 3), example("問", "答"))

    drawn = others(row, 255)

    assert len({*drawn, secret(row)}) == 256
    assert all(re.fullmatch(r"\d{3}-\d{3}-\d{3}", text) for text in drawn)
    assert SECRETS == 10**9
    assert drawn == others(row, 255)
