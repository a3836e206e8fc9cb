"""Each reason not to go on: its exit code, its sentence, and what is left behind."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from foundry.core.atomic import sha256
from tests.tiny_recipe import Outcome, TinyRecipe, call

ROOT = Path(__file__).resolve().parents[2]


def only_problem(outcome: Outcome) -> dict[str, str]:
    """The one problem of a document that `--json` printed."""
    (problem,) = outcome.document["problems"]
    return problem


def test_unknown_stage_lists_the_stages(recipe: TinyRecipe):
    outcome = recipe.train("--until", "exprot", "--json")

    assert (outcome.code, outcome.document["error"]) == (2, "recipe")
    assert "plan, data, encode, train, export, evaluate, package" in only_problem(outcome)["what"]


def test_missing_base_folder_is_a_missing_resource(recipe: TinyRecipe):  # C71
    outcome = recipe.train("--set", "base_model=./modles/base", "--json")

    assert (outcome.code, outcome.document["error"]) == (3, "resource")
    assert only_problem(outcome)["where"] == "./modles/base"


def test_base_without_weights_is_a_missing_resource(recipe: TinyRecipe):
    (recipe.folder / "base" / "model.safetensors").unlink()

    outcome = recipe.train("--json")

    assert (outcome.code, outcome.document["error"]) == (3, "resource")
    assert ".safetensors" in only_problem(outcome)["what"]


def test_rows_of_a_type_that_the_trainer_does_not_read_are_refused_before_training(
    recipe: TinyRecipe,
):
    lines = ["問題,好,壞", *(f"售價{n}？,三百元。,不知道。" for n in range(20))]
    (recipe.folder / "rows.csv").write_text("\n".join(lines), encoding="utf-8")
    format_of_pairs = {"kind": "preference", "prompt": "問題", "chosen": "好", "rejected": "壞"}
    options = ("--set", f"data.format={json.dumps(format_of_pairs)}", "--set", "evals=[]", "--json")

    encoded = recipe.train("--until", "encode", *options)
    refused = recipe.train(*options)

    assert encoded.code == 0, encoded
    assert encoded.document["mask"]["type"] == "preference"
    assert (refused.code, refused.document["error"]) == (2, "recipe")
    assert "`sft` reads conversation, language-modeling data" in only_problem(refused)["what"]
    assert "the rows are preference data" in only_problem(refused)["what"]
    assert only_problem(refused)["fix"] == "set it to `dpo`, `orpo`, `reward`"
    assert not recipe.run.file("adapter").exists()


def test_rows_that_are_all_too_long_end_the_run_before_the_model_is_loaded(recipe: TinyRecipe):
    # C11
    outcome = recipe.train("--set", "encode.max_seq_len=8", "--json")

    assert (outcome.code, outcome.document["error"]) == (1, "data")
    assert "no row is left to train on" in only_problem(outcome)["what"]
    assert outcome.err.endswith("encoding: begins\n")


def test_terms_that_were_not_accepted_name_the_option(recipe: TinyRecipe):
    outcome = call("train", str(recipe.file), "--runs", str(recipe.runs), "--json")

    assert (outcome.code, outcome.document["error"]) == (1, "licence")
    assert "--accept-terms unknown" in only_problem(outcome)["fix"]
    assert not recipe.runs.exists()


def test_data_declared_for_another_purpose_are_refused(recipe: TinyRecipe):
    outcome = recipe.train("--set", "data.sources.0.declaration.purpose=marketing", "--json")

    problem = only_problem(outcome)
    assert (outcome.code, outcome.document["error"]) == (1, "licence")
    assert "data.sources.0.declaration.purpose" in problem["what"]
    assert "`marketing`" in problem["what"] and "`research`" in problem["what"]


@contextmanager
def held(run: Path) -> Iterator[int]:
    """Another process holds the run; gives its id."""
    code = (
        "import sys; from pathlib import Path; from foundry.core.rundir import RunDir\n"
        "with RunDir(Path(sys.argv[1])).locked(): print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(run)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process.pid


def test_run_of_another_process_is_left_alone(finished: TinyRecipe):
    with held(finished.run.path) as pid:
        outcome = finished.train("--json")

    assert (outcome.code, outcome.document["error"]) == (73, "locked")
    assert f"process {pid}" in only_problem(outcome)["what"]


def test_lock_of_a_dead_process_is_free(finished: TinyRecipe):
    with held(finished.run.path):
        pass

    assert finished.train().code == 0


@pytest.fixture
def gated(recipe: TinyRecipe) -> TinyRecipe:
    """A recipe whose gate four steps of training cannot meet; exports nothing."""
    values = json.loads(recipe.file.read_text(encoding="utf-8"))
    values["train"]["max_steps"] = 4
    values |= {"exports": [], "gates": [{"metric": "exact-match", "part": "test", "min": 0.9}]}
    recipe.file.write_text(json.dumps(values), encoding="utf-8")
    return recipe


def test_gate_that_is_not_met_ends_without_a_package(gated: TinyRecipe):
    outcome = gated.train("--json")

    assert (outcome.code, outcome.document["error"]) == (1, "gate")
    assert only_problem(outcome)["where"] == "gates: exact-match"
    assert not gated.package.exists()
    assert gated.run.file("evals", "report.html").is_file()  # shows why
    assert call("verify", str(gated.run.path)).code == 3


def test_package_of_results_that_no_longer_hold_is_withdrawn(finished: TinyRecipe):
    """The report says that a gate is not met; the package that was made before must not stay."""
    run = finished.run
    report, stamp = run.file("evals", "report.json"), run.file("stamps", "evaluate.json")
    said = json.loads(report.read_text(encoding="utf-8"))
    missed = {language: "exact-match: 0.5" for language in ("zh-TW", "en")}
    said["gates"] = [
        {"gate": {"metric": "exact-match"}, "passed": False, "sentence": missed},
    ]
    report.write_text(json.dumps(said), encoding="utf-8")
    stamped = json.loads(stamp.read_text(encoding="utf-8"))
    stamped["outputs"]["evals/report.json"] = sha256(report)
    stamp.write_text(json.dumps(stamped), encoding="utf-8")
    assert finished.package.is_dir()

    outcome = finished.train()

    assert outcome.code == 1, outcome
    assert "the package that was there is removed" in outcome.err
    assert not finished.package.exists()
