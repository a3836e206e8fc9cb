"""A gate that its test part is too small for is told before training, with the edit that helps."""

import json
from pathlib import Path
from typing import Any

import pytest

from foundry.core.load import load_recipe
from foundry.evals import power
from foundry.planning.shortfalls import Size, sentence, shortfalls, sizes_in_files
from tests.tiny_recipe import RECIPE, TinyRecipe, call, lay_out

MANY, FEW = Size(400, 400), Size(40, 40)


def recipe_with(folder: Path, base: Path, **blocks: Any) -> Any:
    return load_recipe(lay_out(folder, base, **blocks).file).recipe


@pytest.fixture
def recipe(tiny_base: Path, tmp_path: Path):
    def made(*gates: dict[str, Any], **blocks: Any) -> Any:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        return recipe_with(folder, tiny_base, gates=gates, **blocks)

    return made


def test_gain_that_the_questions_cannot_show_is_told(recipe):
    gated = recipe({"metric": "exact-match", "min_gain": 0.1})

    (found,) = shortfalls(gated, {"test": FEW})

    assert (found.bound, found.needed, found.items) == ("min_gain", 0.1, 40)
    assert found.detectable == pytest.approx(0.239, abs=0.001)
    assert found.wanted == 97
    assert shortfalls(gated, {"test": MANY}) == []


def test_as_many_questions_as_it_asks_for_suffice_and_one_fewer_does_not(recipe):
    gated = recipe({"metric": "exact-match", "min_gain": 0.15})
    (found,) = shortfalls(gated, {"test": FEW})

    assert shortfalls(gated, {"test": Size(found.wanted, found.wanted)}) == []
    assert shortfalls(gated, {"test": Size(found.wanted - 1, found.wanted - 1)})


def test_loss_that_cannot_be_ruled_out_is_told(recipe):
    gated = recipe({"metric": "exact-match", "non_inferiority_pp": 5})

    (found,) = shortfalls(gated, {"test": FEW})

    assert found.detectable == pytest.approx(2.0227 * 2**0.5 / 42, abs=1e-4)
    assert shortfalls(gated, {"test": Size(60, 60)}) == []


def test_too_few_groups_show_nothing_whatever_the_score(recipe):
    gated = recipe({"metric": "character-f1", "min_gain": 0.5}, evals=[{"kind": "character-f1"}])

    (found,) = shortfalls(gated, {"test": Size(100, 5)})

    assert (found.detectable, found.wanted) == (None, None)
    assert "6 groups or more" in sentence(found.as_dict())
    assert shortfalls(gated, {"test": Size(100, 6)}) == []


def test_what_a_gate_measures_alone_needs_no_size(recipe):
    gates = {"metric": "exact-match", "min": 0.9}, {"metric": "exact-match", "max_drop_pp": 1}

    assert shortfalls(recipe(*gates), {"test": Size(7, 7)}) == []


def test_questions_that_an_evaluator_brings_are_counted(recipe):
    gate = {"metric": "controls", "non_inferiority_pp": 2}
    few, all_ = (
        shortfalls(recipe(gate, evals=[{"kind": "controls", "sample": sample}]), {"test": FEW})
        for sample in (16, "all")
    )

    assert [one.items for one in few] == [16]
    assert all_ == []


def test_advice_holds_out_more_where_rows_are_left_to_learn(recipe):
    gated = recipe({"metric": "exact-match", "min_gain": 0.1})
    (found,) = shortfalls(gated, {"test": Size(80, 80)})

    told = sentence(found.as_dict(), gated)

    assert "`data.split.test: 0.24`" in told  # 0.2 * 97 / 80
    assert "`gates.0.min_gain: 0.13`" in told
    (less,) = shortfalls(gated, {"test": Size(10, 10)})
    assert "test with 97 questions or more" in sentence(less.as_dict(), gated)


def test_groups_of_a_test_file_are_those_of_its_column(tiny_base: Path, tmp_path: Path):
    tests = [{"name": "own", "path": "own.csv", "disjoint_by": "商品"}]
    data = {**RECIPE["data"], "tests": tests}
    recipe = lay_out(tmp_path / "r", tiny_base, data=data)
    rows = [f"第{n}題？,答{n}。,商品{n % 3}" for n in range(10)]
    (recipe.folder / "own.csv").write_text("\n".join(["問題,回答,商品", *rows]) + "\n", "utf-8")

    found = sizes_in_files(load_recipe(recipe.file), learned=80)

    assert found == {"own": Size(10, 3), "test": Size(20, 20)}


def test_plan_and_the_data_stage_tell_it(tiny_base: Path, tmp_path: Path):
    gates = [{"metric": "exact-match", "min_gain": 0.3}]
    recipe: TinyRecipe = lay_out(tmp_path / "r", tiny_base, gates=gates)

    planned = call("plan", f"{recipe.file}", "--accept-terms", "unknown")
    document = call("plan", f"{recipe.file}", "--accept-terms", "unknown", "--json").document
    trained = recipe.train("--until", "data")

    assert "gates.0.min_gain" in planned.err and "fix: " in planned.err
    (short,) = document["shortfalls"]
    assert (short["metric"], short["needed"]) == ("exact-match", 0.3)
    assert "gates.0.min_gain" in trained.err
    lines = recipe.run.file("events.jsonl").read_text("utf-8").splitlines()
    (warned,) = [e for e in map(json.loads, lines) if e.get("code") == "test-too-small"]
    assert 0 < warned["items"] <= short["items"]  # rows said twice are out by then


def test_fewest_questions_are_found_by_halving():
    assert power.questions_for(0.25, lambda n: 1 / n) == 4
    assert power.questions_for(0.0, lambda n: 1 / n) is None
