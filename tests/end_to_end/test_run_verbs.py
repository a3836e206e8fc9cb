"""`foundry run` on a real run, and the ledger that its training wrote."""

import json

import pytest

from foundry.core.errors import DataError, Problem
from foundry.core.rundir import STAGES
from foundry.store.ledger import NAME
from tests.tiny_recipe import Outcome, TinyRecipe, call

Whole = tuple[TinyRecipe, Outcome]


def run(recipe: TinyRecipe, *words: str) -> Outcome:
    """`foundry run` on the recipe's runs."""
    outcome = call("run", *words, "--runs", str(recipe.runs))
    assert outcome.code == 0, outcome
    return outcome


def test_finished_run_is_listed_and_shown_with_its_proofs(whole_run: Whole):
    recipe, _outcome = whole_run

    (listed,) = run(recipe, "list", "--json").document["runs"]
    shown = run(recipe, "show", "tiny", "--json").document
    page = run(recipe, "show", "tiny").out

    assert (listed["state"]["kind"], listed["steps"], listed["of"]) == ("done", 32, 32)
    assert listed["loss"] == recipe.losses()[-1]
    assert list(shown["stages"]) == list(STAGES)
    assert {"moved", "differs", "reload"} <= shown["proofs"]["learning"].keys()
    assert set(shown["proofs"]["parity"]) == {"gguf-q8_0", "gguf-adapter-f32", "adapter"}
    assert shown["forecast"]["seconds"]["measured"] > 0
    assert shown["forecast"]["peak_memory_bytes"]["predicted"]["expected"] > 0
    assert "llama.cpp: log-probabilities differ by" in page


def test_training_is_in_the_ledger(whole_run: Whole):
    recipe, _outcome = whole_run
    trained = json.loads(recipe.run.file("train.json").read_text(encoding="utf-8"))

    (one,) = run(recipe, "ledger", "--json").document["runs"]

    assert (one["run"], one["sessions"], one["steps"]) == (recipe.run.path.name, 1, 32)
    assert (one["tokens"], one["supervised_tokens"]) == (
        trained["tokens"],
        trained["supervised_tokens"],
    )
    assert one["unknown"] == {}
    assert one["flops"] > 0 and one["kwh"] > 0 and one["twd"] > 0


def test_cleaned_run_is_whole_and_nothing_is_made_again(finished: TinyRecipe):
    cleaned = run(finished, "clean", "--yes", "--json").document

    assert cleaned["size_bytes"] > 0
    assert {one["why"] for one in cleaned["waste"]} == {"checkpoints"}
    assert not list(finished.run.file("checkpoints").glob("step-*"))
    assert finished.train("--json").document["skipped"] == list(STAGES)
    assert call("verify", str(finished.package)).code == 0


def test_training_in_two_parts_is_one_run_in_the_ledger(
    recipe: TinyRecipe, monkeypatch: pytest.MonkeyPatch
):
    from foundry.train.progress import Progress

    log = Progress.on_log

    def broken(self: Progress, args, state, control, logs, **kwargs) -> None:
        log(self, args, state, control, logs, **kwargs)
        if state.global_step == 10:
            raise DataError(Problem("train", "broken for a test"))

    with monkeypatch.context() as patch:
        patch.setattr(Progress, "on_log", broken)
        stopped = recipe.train("--until", "train")
    done = recipe.train("--until", "train")

    (one,) = run(recipe, "ledger", "--json").document["runs"]
    lines = (recipe.runs / NAME).read_text(encoding="utf-8").splitlines()
    assert (stopped.code, done.code) == (DataError.exit_code, 0)
    assert (one["sessions"], one["steps"]) == (2, 10 + 24)  # from the checkpoint of step 8
    assert json.loads(lines[-1])["outcome"] == "done"
    assert "failed" in {json.loads(line)["outcome"] for line in lines}
