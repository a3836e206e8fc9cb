"""A sweep is a study of one recipe: named arms, one folder, shared rows and base answers."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from foundry.core.errors import RecipeError
from foundry.core.rundir import RunDir
from foundry.core.study import load_study, read_outline
from foundry.evals.answers import load_answers
from foundry.store.runs import Run, find
from foundry.studies.sweep import Wanted, as_study, read_axes
from tests.tiny_recipe import TinyRecipe, call

RANKS = ("--sweep", "adapter.rank=2,4")


def arms(recipe: TinyRecipe, *axes: str, overrides: tuple[str, ...] = ()) -> dict[str, Any]:
    """The arms by name with what they lay over the recipe."""
    loaded, _folder = as_study(Wanted(str(recipe.file), overrides, axes, 1), None)
    return {arm.name: dict(arm.set) for arm in loaded.study.arms}


def test_each_combination_is_an_arm_called_by_its_values(recipe: TinyRecipe):
    found = arms(recipe, "adapter.rank=8,16", "train.learning_rate=1e-4,2e-4")

    assert found == {
        f"rank={rank},learning_rate={rate}": {
            "adapter.rank": rank,
            "train.learning_rate": rate,
        }
        for rank in (8, 16)
        for rate in (1e-4, 2e-4)
    }


def test_value_that_is_no_word_gives_its_arm_a_number(recipe: TinyRecipe):
    found = arms(recipe, "adapter.target_modules=all-linear,[q_proj, v_proj]")

    assert list(found) == ["target_modules=all-linear", "arm-2"]
    assert found["arm-2"] == {"adapter.target_modules": ["q_proj", "v_proj"]}


def test_what_is_set_holds_for_every_arm_and_seeds_count_from_the_recipes(recipe: TinyRecipe):
    wanted = Wanted(str(recipe.file), ("seed=5", "train.max_steps=4"), ("adapter.rank=2,4",), 3)

    loaded, folder = as_study(wanted, None)

    assert loaded.study.seeds == (5, 6, 7)
    assert loaded.study.set == {"exports": [], "gates": [], "train.max_steps": 4}
    assert folder.name == f"sweep-tiny-{wanted.fingerprint[:8]}"
    assert Path(loaded.recipe_of(loaded.study.arms[0])).samefile(recipe.file)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("adapter.rank", "must have the form key=value,value; got `adapter.rank`"),
        ("adapter.rank=", "must have the form"),
        ("adapter.rank=8,8", "a value is named twice"),
        ("seed=0,1", "use `--seeds 3`"),
        ("evaluation.batch_size=8,16", "`evaluation.batch_size` makes no other run"),
        ("compute.processes=1,2", "`compute.processes` makes no other run"),
        ("adapter.rank=[8,16", "not valid YAML"),
    ],
)
def test_axis_that_cannot_be_meant_is_refused(text: str, said: str):
    with pytest.raises(RecipeError, match="--sweep") as error:
        read_axes([text])

    assert said in str(error.value)


def test_key_that_is_swept_twice_and_a_single_arm_are_refused(recipe: TinyRecipe):
    with pytest.raises(RecipeError, match="is swept twice"):
        read_axes(["adapter.rank=8,16", "adapter.rank=32"])
    with pytest.raises(RecipeError, match="only one arm"):
        arms(recipe, "adapter.rank=8")


def test_options_that_mean_nothing_together_are_refused(recipe: TinyRecipe):
    alone = call(*recipe.arguments("--seeds", "3", "--out", "x"))
    beside = call(*recipe.arguments(*RANKS, "--until", "train"))

    assert (alone.code, "--seeds: " in alone.err, "--out: " in alone.err) == (2, True, True)
    assert (beside.code, "--until: " in beside.err, "--runs: " in beside.err) == (2, True, True)


def test_dry_run_names_every_run_and_writes_nothing(recipe: TinyRecipe, tmp_path: Path):
    outcome = sweep(recipe, tmp_path / "out", "--seeds", "2", "--dry-run", "--json")

    assert [(run["arm"], run["seed"]) for run in outcome.document["runs"]] == [
        *(("rank=2", 0), ("rank=4", 0), ("rank=2", 1), ("rank=4", 1))
    ]
    assert not (tmp_path / "out").exists()


def test_wrong_value_is_refused_before_anything_is_trained(recipe: TinyRecipe, tmp_path: Path):
    outcome = call(*words(recipe, tmp_path / "out"), "--sweep", "train.learning_rate=1e-4,fast")

    assert outcome.code == 2
    assert "rank=2,learning_rate=fast: --set train.learning_rate" in outcome.err
    assert not (tmp_path / "out").exists()


def words(recipe: TinyRecipe, out: Path) -> list[str]:
    """The command line of a sweep of two ranks."""
    terms = ("--accept-terms", "unknown")
    return ["train", str(recipe.file), *RANKS, *terms, "--out", str(out)]


def sweep(recipe: TinyRecipe, out: Path, *options: str) -> Any:
    return call(*words(recipe, out), *options)


@pytest.mark.slow
def test_killed_sweep_goes_on_shares_what_is_equal_and_is_compared(
    recipe: TinyRecipe, tmp_path: Path
):
    out = tmp_path / "out"
    kill_after_encoding([sys.executable, "-P", "-m", "foundry", *words(recipe, out)], out)
    (first,) = find(out / "runs")
    rows = first.dir.file("stamps", "encode.json").stat().st_mtime_ns

    again = sweep(recipe, out, "--json")

    assert again.code == 0
    assert first.dir.file("stamps", "encode.json").stat().st_mtime_ns == rows
    named = {arm: runs[0] for arm, runs in read_outline(out).runs.items()}
    assert list(named) == ["rank=2", "rank=4"]
    one, two = (Run(RunDir(out / "runs" / str(name))) for name in named.values())
    assert one.name == first.name
    assert one.stamps["encode"]["outputs"] == two.stamps["encode"]["outputs"]
    assert [e["stage"] for e in two.events if e["event"] == "skipped"] == ["data", "encode"]
    assert asked(one) >= {"base", "base-few-shot", "tuned"}
    assert asked(two) == {"tuned"}
    assert_asked_anew_it_says_the_same(recipe, two)
    found = call("compare", "--study", str(out), "--json")
    assert (found.code, [arm["name"] for arm in found.document["arms"]]) == (0, list(named))
    assert load_study(out / "study.yaml").study.name == read_outline(out).name


def kill_after_encoding(command: list[str], out: Path) -> None:
    """Kill a sweep and what it started, once its first run has its rows."""
    process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list(out.glob("runs/*/stamps/encode.json")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def asked(run: Run) -> set[str]:
    """The columns that a run asked itself."""
    return {e["column"] for e in run.events if e["event"] == "answers"}


def assert_asked_anew_it_says_the_same(recipe: TinyRecipe, run: Run) -> None:
    """The base that this arm would have asked, whose answers were taken over."""
    files = sorted(run.dir.file("evals", "answers").glob("base*.jsonl"))
    before = [load_answers(file) for file in files]
    for file in [*files, run.dir.file("stamps", "evaluate.json")]:
        file.unlink()
    rank, exports = ("adapter.rank=4", "exports=[]")
    done = call(
        *("train", str(recipe.file), "--runs", str(run.dir.path.parent), "--until", "evaluate"),
        *("--accept-terms", "unknown", "--set", rank, "--set", exports, "--set", "gates=[]"),
    )
    assert (done.code, len(files)) == (0, 2)
    assert [load_answers(file) for file in files] == before


def test_gate_that_is_set_within_its_list_holds_with_the_whole_list(recipe: TinyRecipe):
    values = json.loads(recipe.file.read_text(encoding="utf-8"))
    values["gates"] = [{"metric": "exact-match", "part": "test", "min": 0.5}]
    recipe.file.write_text(json.dumps(values), encoding="utf-8")
    wanted = Wanted(str(recipe.file), ("gates.0.min=0.25",), RANKS[1:], 1)

    laid = as_study(wanted, None)[0].study.set

    assert [gate["min"] for gate in laid["gates"]] == [0.25]
    assert "gates.0.min" not in laid and laid["exports"] == []
