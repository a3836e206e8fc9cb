"""Distillation: the divergence from a teacher at the supervised positions, under every proof."""

import json
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load

from foundry.core.errors import InterruptedRun, ProofError
from foundry.core.events import Event
from foundry.models.fetch import locate
from foundry.models.quiet import quiet
from foundry.models.same_tokenizer import difference
from foundry.train import fitting
from foundry.train.adapters import full, lora
from foundry.train.losses import distilling
from foundry.train.losses.distilling import Distillation, open_teacher
from foundry.train.losses.divergence import Measure
from foundry.train.trainers import distill, sft
from tests import tiny, tiny_recipe
from tests.cases import case, change
from tests.once import once
from tests.tiny_run import Setup, adapter_bytes, fast, metrics, open_run

STEPS = 6


@pytest.fixture(scope="session")
def teacher(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny Llama whose weights know the rows by heart."""

    def build(folder: Path) -> None:
        setup = Setup(tiny_llama, 20, adapter=full.Spec(), method=full)
        inputs = open_run(setup, folder)
        sft.fit(inputs, fast(20, learning_rate=3e-3, global_batch_size=8))

    return once(tmp_path_factory, "taught", build) / "model"


def spec(teacher: Path, **values: Any) -> distill.Spec:
    chosen = {"max_steps": STEPS, "learning_rate": 1e-2, "global_batch_size": 8, **values}
    return distill.Spec(teacher=str(teacher), checkpoint_every=100, **chosen)


def fitted(folder: Path, teacher: Path, path: Path, *listeners: Any, **values: Any) -> Any:
    """A run of `STEPS`; `values` are settings of the trainer or of `Setup`."""
    ours = ("kind", "micro_batch_size", "adapter", "method")
    setup = Setup(folder, STEPS, **{key: values.pop(key) for key in ours if key in values})
    inputs = open_run(setup, path, *listeners)
    asked = spec(teacher, **values)
    inputs = replace(inputs, teacher=locate(str(teacher), path), steps=asked.max_steps)
    return inputs.run, distill.fit(inputs, asked)


def test_share_that_a_divergence_does_not_read_is_refused():
    assert distill.Spec(teacher="t", divergence="jsd", beta=0.3).beta == 0.3
    with pytest.raises(ValidationError, match="is for the divergence `jsd`; this is `forward-kl`"):
        distill.Spec(teacher="t", beta=0.3)


@pytest.mark.parametrize("kind", ["forward-kl", "reverse-kl", "jsd"])
def test_model_comes_near_its_teacher_under_the_proofs(
    tiny_llama: Path, teacher: Path, tmp_path: Path, kind: str
):
    strong = {"adapter": lora.Spec(rank=8, alpha=64), "max_steps": 12}
    run, result = fitted(tiny_llama, teacher, tmp_path, divergence=kind, **strong)

    losses = [line["loss"] for line in metrics(run)]
    assert losses[-1] < 0.7 * losses[0]
    assert result.proof["loss"]["trainer"] == pytest.approx(result.proof["loss"]["by_hand"], 1e-4)
    assert result.proof["reload"]["largest_difference"] <= 1e-5
    assert result.proof["mask"]["supervised_tokens"] == result.supervised_tokens


def test_measure_of_the_recipe_is_the_one_trained_by(
    tiny_llama: Path, teacher: Path, tmp_path: Path
):
    said = {"divergence": "jsd", "beta": 0.3, "temperature": 2.0}
    usual, _result = fitted(tiny_llama, teacher, tmp_path / "usual")
    asked, _result = fitted(tiny_llama, teacher, tmp_path / "asked", **said)
    inputs = open_run(Setup(tiny_llama, STEPS), tmp_path / "by-hand")
    inputs = replace(inputs, teacher=locate(str(teacher), tmp_path))
    with quiet():
        objective = Distillation(open_teacher(inputs), Measure("jsd", 0.3, 2.0))
        fitting.fit(inputs, spec(teacher), objective)

    of = [[line["loss"] for line in metrics(run)] for run in (usual, asked, inputs.run)]
    assert of[1] == of[2]
    assert of[1] != of[0]


def everywhere(self: Any, rows: Any) -> torch.Tensor:
    """What the teacher says one position further on."""
    moved = [{**row, "labels": [*row["labels"][1:], -100]} for row in rows]
    return hidden_SG(
        self,
        [
            {**m, "labels": [r["labels"][0], *m["labels"][:-1]]}
            for m, r in zip(moved, rows, strict=True)
        ],
    ).roll(1, dims=0)


hidden_SG = distilling.Teacher.hidden_SG


@case(
    "C15",
    {"the teacher is a position ahead": change(distilling.Teacher, "hidden_SG", everywhere)},
)
def test_loss_is_that_of_both_models_logits(tiny_llama: Path, teacher: Path, tmp_path: Path):
    try:
        _run, result = fitted(tiny_llama, teacher, tmp_path)
    except ProofError as error:
        raise AssertionError(str(error)) from error

    assert result.proof["loss"]["rows"] == 8


@case(
    "C13",
    {
        "each pass is divided by its own": change(
            distilling.DistillTrainer,
            "summed_loss",
            lambda self, model, inputs: (
                summed_loss(self, model, inputs) / (inputs["labels"] != -100).sum() * 8
            ),
        )
    },
)
def test_rows_one_by_one_are_rows_together(
    tiny_llama: Path, teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(distilling.Distillation, "probe", lambda *_: {})
    together = fitted(tiny_llama, teacher, tmp_path / "a", micro_batch_size=4)[0]
    alone = fitted(tiny_llama, teacher, tmp_path / "b", micro_batch_size=1)[0]

    pairs = zip(metrics(together), metrics(alone), strict=True)
    assert all(a["loss"] == pytest.approx(b["loss"], rel=1e-4) for a, b in pairs)
    found, expected = load(adapter_bytes(alone)), load(adapter_bytes(together))
    assert max(float((found[n] - expected[n]).abs().max()) for n in expected) < 1e-4


summed_loss = distilling.DistillTrainer.summed_loss


def stop_after(step: int) -> Callable[[Event], None]:
    def listen(event: Event) -> None:
        if event["event"] == "step" and event["step"] == step:
            os.kill(os.getpid(), signal.SIGTERM)

    return listen


def test_run_taken_up_again_is_the_straight_one(tiny_llama: Path, teacher: Path, tmp_path: Path):
    adapter = lora.Spec(rank=4, alpha=8, dropout=0.1)
    straight = fitted(tiny_llama, teacher, tmp_path / "straight", adapter=adapter)[0]
    with pytest.raises(InterruptedRun):
        fitted(tiny_llama, teacher, tmp_path / "run", stop_after(2), adapter=adapter)
    resumed = fitted(tiny_llama, teacher, tmp_path / "run", adapter=adapter)[0]

    assert [m["loss"] for m in metrics(resumed)] == [m["loss"] for m in metrics(straight)]
    assert adapter_bytes(resumed) == adapter_bytes(straight)


def test_whole_weights_learn_from_a_teacher_too(tiny_gemma3: Path, tmp_path: Path):
    """Gemma 3's head is its embedding, which trains, and the teacher's logits are of its own."""
    other = tiny.build(tmp_path / "teacher", "gemma3", tied=False, seed=7)
    settings = {"method": full, "adapter": full.Spec(), "learning_rate": 1e-3}

    run, result = fitted(tiny_gemma3, other, tmp_path / "run", **settings)

    assert metrics(run)[-1]["loss"] < metrics(run)[0]["loss"]
    assert result.adapter == "model"


def test_tokenizers_of_two_families_differ_and_of_one_do_not(
    tiny_llama: Path, tiny_gemma3: Path, teacher: Path, tmp_path: Path
):
    llama, other, gemma = (locate(str(p), tmp_path) for p in (tiny_llama, teacher, tiny_gemma3))

    assert difference(llama, other) is None
    assert "tokens have other ids" in str(difference(llama, gemma))


@pytest.fixture
def recipe(tiny_base: Path, tmp_path: Path) -> tiny_recipe.TinyRecipe:
    made = tiny_recipe.lay_out(
        tmp_path / "tiny",
        tiny_base,
        train={**tiny_recipe.RECIPE["train"], "kind": "distill", "teacher": "teacher"},
        exports=[{"kind": "adapter"}],
        evals=[],
    )
    return made


def test_recipe_plans_for_its_teacher_and_distils(recipe: tiny_recipe.TinyRecipe, teacher: Path):
    shutil.copytree(teacher, recipe.folder / "teacher")
    outcome = recipe.train("--until", "train", "--json")

    assert outcome.code == 0, outcome.err
    plan = json.loads(recipe.run.file("plan.json").read_text(encoding="utf-8"))
    (bound,) = [one for one in plan["licences"] if one["of"].startswith("train.teacher")]
    assert (bound["licence"], bound["role"]) == ("unknown", "generated-by")
    assert plan["estimate"]["memory"]["parts"]["teacher"]["expected"] > 0
    assert plan["estimate"]["step"]["beside"] > 0


def test_teacher_with_another_tokenizer_is_refused_by_name(
    recipe: tiny_recipe.TinyRecipe, tiny_gemma3: Path
):
    shutil.copytree(tiny_gemma3, recipe.folder / "teacher")
    outcome = recipe.train("--dry-run")

    assert outcome.code == 2
    assert "train.teacher: teacher and base do not have the same tokenizer" in outcome.err


def test_model_cannot_be_its_own_teacher(recipe: tiny_recipe.TinyRecipe):
    outcome = recipe.train("--dry-run", "--set", "train.teacher=base")

    assert outcome.code == 2
    assert "train.teacher: base is the base model itself" in outcome.err
