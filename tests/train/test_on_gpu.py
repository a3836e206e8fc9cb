"""The training path on a real GPU; skipped where torch finds none."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from foundry.core.errors import InterruptedRun
from foundry.models.place import Place
from foundry.train.adapters import full, lora, qlora
from foundry.train.trainers import sft
from tests.tiny_recipe import TinyRecipe
from tests.tiny_run import SMALL, Setup, fast, metrics, open_run

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU")

STEPS = 4
HALF, WHOLE = Place("cuda", "bfloat16"), Place("cuda", "float32")
WAYS: dict[str, dict[str, Any]] = {
    "lora": {"place": HALF, "method": lora, "adapter": SMALL},
    "qlora": {"place": HALF, "method": qlora, "adapter": qlora.Spec(rank=4)},
    "full": {"place": WHOLE, "method": full, "adapter": full.Spec()},
}


@pytest.fixture(params=["tiny_llama", "tiny_gemma3"])
def folder(request: pytest.FixtureRequest) -> Path:
    made: Path = request.getfixturevalue(request.param)
    return made


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("optimizer", ["adamw", "adamw-8bit"])
def test_every_method_trains_and_proves_it(way: str, optimizer: Any, folder: Path, tmp_path: Path):
    inputs = open_run(Setup(folder, STEPS, **WAYS[way]), tmp_path)

    result = sft.fit(inputs, fast(STEPS, dtype="bfloat16", optimizer=optimizer, learning_rate=1e-3))

    assert result.proof["optimizer"]["dtype"] == "float32"
    assert result.last_loss < result.first_loss


def test_float32_on_a_gpu_has_the_losses_of_the_processor(folder: Path, tmp_path: Path):
    losses = []
    for place in (WHOLE, Place()):
        inputs = open_run(Setup(folder, STEPS, place=place), tmp_path / place.device)
        sft.fit(inputs, fast(STEPS, dtype="float32"))
        losses.append([line["loss"] for line in metrics(inputs.run)])

    assert losses[0] == pytest.approx(losses[1], rel=1e-4)  # float32 sums in another order


def stop_after_two(event: Any) -> None:
    import os
    import signal

    if event["event"] == "step" and event["step"] == 2:
        os.kill(os.getpid(), signal.SIGTERM)


def test_run_taken_up_again_is_the_straight_one(tiny_llama: Path, tmp_path: Path):
    setup, spec = Setup(tiny_llama, STEPS, place=HALF), fast(STEPS, dtype="bfloat16")
    straight = open_run(setup, tmp_path / "straight")
    sft.fit(straight, spec)
    with pytest.raises(InterruptedRun):
        sft.fit(open_run(setup, tmp_path / "run", stop_after_two), spec)
    resumed = open_run(setup, tmp_path / "run")

    sft.fit(resumed, spec)

    found, expected = ([x["loss"] for x in metrics(i.run)] for i in (resumed, straight))
    assert found == pytest.approx(expected, rel=1e-2)  # FlashAttention adds up in any order


def test_recipe_is_planned_for_the_gpu_and_trained_on_it(recipe: TinyRecipe):
    outcome = recipe.train("--until", "train")

    plan = json.loads(recipe.run.file("plan.json").read_text(encoding="utf-8"))
    assert outcome.code == 0, outcome.err
    assert plan["resolved"]["device"] == "cuda"
    assert torch.cuda.get_device_name(0) in plan["origins"]["resolved.device"]
