"""Seen failing: each named fault, run end to end, is refused by the proof that is made for it.

Every file of this folder that has `MUTANTS` is a fault; none of them has a switch in the product.
"""

import json
from importlib import import_module
from pathlib import Path

import pytest

from foundry.core import atomic
from foundry.core.rundir import STAGES
from tests.mutants.mutant import Mutant
from tests.tiny_recipe import Outcome, TinyRecipe

NAMED = 17  # issue 3's eleven, issue 8's three, three more; `rglob` must not find fewer
HERE = Path(__file__).parent
FAULTS = {
    path.stem: import_module(f"tests.mutants.{path.stem}").MUTANTS
    for path in sorted(HERE.glob("*.py"))
    if path.stem not in ("mutant", Path(__file__).stem)
}
MUTANTS = {f"{name}: {m.fault}": m for name, mutants in FAULTS.items() for m in mutants}
MADE = {"export": "exports", "evaluate": "evals", "package": "package"}


@pytest.fixture
def at(request: pytest.FixtureRequest):
    """The tiny recipe done up to a stage: from scratch before `export`, else of the whole run."""

    def up_to(stage: str) -> TinyRecipe:
        if stage in ("encode", "train"):
            return shortened(request.getfixturevalue("recipe"))
        recipe = request.getfixturevalue("finished")
        for later in STAGES[STAGES.index(stage) :]:
            recipe.run.file("stamps", f"{later}.json").unlink()
            atomic.remove(recipe.run.file(MADE[later]))
        return recipe

    return up_to


def shortened(recipe: TinyRecipe) -> TinyRecipe:
    """Four steps are enough for the proofs of training."""
    values = json.loads(recipe.file.read_text(encoding="utf-8"))
    values["train"]["max_steps"] = 4
    recipe.file.write_text(json.dumps(values), encoding="utf-8")
    return recipe


def test_every_named_fault_is_here():
    assert len(FAULTS) == NAMED
    assert all(FAULTS.values())


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_fault_is_refused_by_the_right_proof(mutant: Mutant, at, monkeypatch: pytest.MonkeyPatch):
    recipe = at(mutant.start)
    mutant.apply(monkeypatch)

    outcome = recipe.train("--json")

    assert (outcome.code, outcome.document["error"]) == (1, mutant.kind), outcome.out
    problems = outcome.document["problems"]
    said = [p["what"] for p in problems if p["where"] == mutant.where]
    assert any(mutant.says in what for what in said), problems
    assert not recipe.package.exists()


def test_whole_chain_without_a_fault_is_done(whole_run: tuple[TinyRecipe, Outcome]):
    assert whole_run[1].code == 0


@pytest.mark.parametrize("start", ["encode", "export", "package"])
def test_stages_without_a_fault_are_done(start: str, at):
    recipe = at(start)

    until = "train" if start == "encode" else "package"
    outcome = recipe.train("--until", until, "--json")

    assert outcome.code == 0, outcome.out
    assert start not in outcome.document["skipped"]
