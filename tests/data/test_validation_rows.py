"""Rows to measure the loss on: of no group that is learned or tested, and never moved by others."""

import pytest

from foundry.core.errors import DataError, RecipeError
from foundry.data import keys, parts
from tests.cases import case, change

HEADER = "question,answer,product\n"
ROWS = [(f"問題{n:03}", f"答案{n:03}", f"商品{n % 40}") for n in range(200)]
SPLIT = {"test": 0.2, "validation": 0.2, "group_by": "product"}


def table(rows):
    return HEADER + "".join(f"{','.join(row)}\n" for row in rows)


def ids(bench, part):
    return {example.id for example in bench.part(part)}


@case("C27", {"a group is torn": change(keys, "group_key", lambda e, prompt: f"row {e.id}")})
def test_no_group_is_on_two_of_three_sides(bench):
    bench.write("a.csv", table(ROWS))

    manifest = bench.prepare("a.csv", split=SPLIT)

    groups = {part.name: {e.group for e in bench.part(part.name)} for part in manifest.parts}
    assert set(groups) == {"train", "test", "validation"}
    assert sum(map(len, groups.values())) == 40
    assert sum(part.rows for part in manifest.parts) == 200
    assert all(20 <= part.rows <= 140 for part in manifest.parts)


def test_validation_rows_are_taken_from_training_and_never_from_the_test_part(bench):
    bench.write("a.csv", table(ROWS))
    bench.prepare("a.csv", split={"test": 0.2, "group_by": "product"})
    before = ids(bench, "test")

    bench.prepare("a.csv", split=SPLIT)

    assert ids(bench, "test") == before
    assert not ids(bench, "validation") & before


@case("C27", {"nothing is compared": change(parts, "_texts", lambda files: _apart(files))})
def test_row_of_a_validation_file_is_not_learned(bench):
    bench.write("a.csv", table(ROWS))
    bench.write("v.csv", table(ROWS[:10]))

    manifest = bench.prepare("a.csv", validation=[{"path": "v.csv"}])

    assert {part.name: part.rows for part in manifest.parts} == {"train": 190, "validation": 10}
    assert not ids(bench, "train") & ids(bench, "validation")
    assert manifest.refused_by_code == {"in-test": 10}


def _apart(files):
    import numpy as np

    return np.arange(sum(map(len, files)))


def test_split_that_leaves_no_validation_rows_names_a_seed(bench):
    bench.write("a.csv", table(ROWS[:3]))

    with pytest.raises(DataError, match=r"leaves `(test|validation)` without rows"):
        bench.prepare("a.csv", split={"test": 0.05, "validation": 0.05})


def test_file_without_the_column_is_named(bench):
    bench.write("a.csv", table(ROWS))
    bench.write("v.csv", "question,reply\n問題,答案\n")

    with pytest.raises(DataError, match="no column `answer`"):
        bench.prepare("a.csv", validation=[{"path": "v.csv"}])


def test_test_part_may_not_be_called_validation(bench):
    bench.write("a.csv", table(ROWS))
    bench.write("t.csv", table(ROWS[:5]))

    with pytest.raises(RecipeError, match="validation are taken"):
        bench.prepare("a.csv", split=SPLIT, tests=[{"name": "validation", "path": "t.csv"}])
