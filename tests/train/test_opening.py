"""A run goes on with the device and the numbers that it began with, or says why it cannot (C66)."""

import json
from typing import Any

import pytest
import torch

from foundry.core.load import load_recipe
from foundry.models.place import CPU, Place
from foundry.planning import plan as planning
from foundry.planning.accelerator import Card, Look
from foundry.planning.plan import make_plan, settle
from foundry.train import fitting, opening
from foundry.train.trainers import sft
from tests.cases import case, change
from tests.tiny_recipe import TinyRecipe

WITHOUT = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
CARD = Card("NVIDIA H100 80GB HBM3", 85_000_000_000, has_bfloat16=True, is_unified=False)


def began_on_a_gpu(recipe: TinyRecipe) -> None:
    """Let the records of a run say that it was begun on a GPU."""
    file = recipe.run.file("stamps", "plan.json")
    stamp = json.loads(file.read_text(encoding="utf-8"))
    stamp["result"]["resolved"] |= {"device": "cuda", "dtype": "bfloat16"}
    file.write_text(json.dumps(stamp), encoding="utf-8")


def planned_anew(plan: Any, planned: Any, run: Any) -> Any:
    return plan


ANEW = {"a run goes on as this machine would begin": change(planning, "as_begun", planned_anew)}


@WITHOUT
@case("C66", ANEW)
def test_run_begun_on_a_gpu_does_not_go_on_without_one(finished: TinyRecipe):
    began_on_a_gpu(finished)
    finished.run.file("stamps", "train.json").unlink()

    outcome = finished.train("--until", "train")

    assert outcome.code == 3
    assert "the run began on a GPU, and torch finds none here" in outcome.err
    assert f"remove {finished.run.path}" in outcome.err


@WITHOUT
def test_run_trained_on_a_gpu_is_evaluated_and_packed_without_one(finished: TinyRecipe):
    began_on_a_gpu(finished)

    outcome = finished.train()

    assert outcome.code == 0, outcome.err


@WITHOUT
@case("C66", ANEW)
def test_run_begun_on_a_processor_goes_on_there_beside_a_gpu(
    finished: TinyRecipe, monkeypatch: pytest.MonkeyPatch
):
    began = json.loads(finished.run.file("stamps", "plan.json").read_text("utf-8"))["result"]
    monkeypatch.setattr(planning.accelerator, "look", lambda: Look(CARD, "2.13.0"))
    loaded = load_recipe(str(finished.file))

    found = make_plan(loaded, accepted_terms=("unknown",), runs=finished.runs)

    assert settle(loaded, ("unknown",)).resolved["device"] == "cuda"
    assert found.resolved == began["resolved"]
    assert found.resolved["device"] == "cpu"
    assert "as the run began" in found.origins["resolved.device"]
    assert "to begin on `cuda`" in found.origins["resolved.device"]


@WITHOUT
def test_run_that_has_not_begun_to_train_takes_the_gpu_that_is_there_now(
    recipe: TinyRecipe, monkeypatch: pytest.MonkeyPatch
):
    assert recipe.train("--until", "encode").code == 0
    monkeypatch.setattr(planning.accelerator, "look", lambda: Look(CARD, "2.13.0"))

    found = make_plan(load_recipe(str(recipe.file)), accepted_terms=("unknown",), runs=recipe.runs)

    assert found.resolved["device"] == "cuda"


@WITHOUT
def test_place_beside_no_gpu_is_the_processor_and_nothing_is_told(recipe: TinyRecipe, tmp_path):
    plan = settle(load_recipe(str(recipe.file)), ("unknown",))

    assert opening.open_place(plan, "update", tmp_path, None) == CPU  # type: ignore[arg-type]


def test_trainer_is_given_what_the_plan_made_of_auto_and_no_more(recipe: TinyRecipe):
    plan = settle(load_recipe(str(recipe.file)), ("unknown",))
    plan.resolved.update(optimizer="adamw-8bit", gradient_checkpointing=True)  # type: ignore[attr-defined]

    left, said = sft.Spec(), sft.Spec(optimizer="adamw", gradient_checkpointing=False)

    found = opening.as_planned(left, plan)
    assert (found.optimizer, found.gradient_checkpointing) == ("adamw-8bit", True)
    assert found.learning_rate == "auto"
    assert opening.as_planned(said, plan) == said


def test_a_gpu_has_one_fused_kernel_for_all_moments_and_those_of_eight_bits():
    gpu, eight = Place("cuda", "bfloat16"), sft.Spec(optimizer="adamw-8bit")

    assert fitting._optimizer(sft.Spec(), gpu) == "adamw_torch_fused"
    assert fitting._optimizer(eight, gpu) == "adamw_bnb_8bit"
    assert fitting._optimizer(sft.Spec(), CPU) == "adamw_torch"
