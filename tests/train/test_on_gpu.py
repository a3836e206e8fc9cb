"""The training path on a real GPU; skipped where torch finds none."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from foundry.core import plugins
from foundry.core.errors import InterruptedRun
from foundry.models.place import Place
from foundry.train.adapters import full, lora, qlora
from foundry.train.batches import attention
from foundry.train.trainers import sft
from tests.tiny_recipe import TinyRecipe, call
from tests.tiny_run import ROWS, SMALL, Setup, adapter_bytes, fast, metrics, open_run
from tests.train.test_adapters import RATES, SIZES
from tests.train.test_every_trainer import ROWS_OF, given
from tests.train.test_every_trainer import train as train_by

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

    named = {"dtype": "bfloat16", "optimizer": optimizer, "global_batch_size": len(ROWS)}
    result = sft.fit(inputs, fast(STEPS, **named))

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


@pytest.mark.parametrize("trainer", ROWS_OF)
def test_every_trainer_trains_there(trainer: str, tiny_llama: Path, tmp_path: Path):
    made = Setup(tiny_llama, 3, adapter=SMALL, rows=ROWS_OF[trainer], place=HALF)
    inputs, settings = given(trainer, made, tmp_path / "run", "llama")

    assert train_by(trainer, inputs, dtype="bfloat16", **settings).proof["moved"]


@pytest.mark.parametrize("kind", SIZES)
def test_every_adapter_trains_there(kind: str, tiny_llama: Path, tmp_path: Path):
    method = plugins.load("adapter", kind)
    place = WHOLE if kind == "full" else HALF
    made = Setup(tiny_llama, 3, adapter=method.Spec(**SIZES[kind]), method=method, place=place)

    inputs, rate = open_run(made, tmp_path), RATES.get(kind, 1e-2)
    result = train_by("sft", inputs, dtype="bfloat16", learning_rate=rate)

    assert result.proof["moved"]


@pytest.mark.parametrize("window", [None, 5])
def test_flash_attention_is_that_of_each_row_alone(window: int | None):
    """Forward and backward, with fewer keys than queries; a row is longer than the window."""
    torch.manual_seed(0)
    sizes = ((1, 4, 40, 64), (1, 2, 40, 64), (1, 2, 40, 64))
    halves = [torch.randn(s, device="cuda").bfloat16().requires_grad_() for s in sizes]
    whole = [one.detach().float().requires_grad_() for one in halves]
    named = {"sliding_window": window, "row_lengths": [3, 25, 12]}

    assert attention._is_flash(halves[0])
    exact, _weights = attention.attend(None, *whole, None, **named)
    found, _weights = attention.attend(None, *halves, None, **named)
    slope = torch.randn_like(found)
    exact.backward(slope.float())
    found.backward(slope)

    pairs = [(found, exact), *((h.grad, w.grad) for h, w in zip(halves, whole, strict=True))]
    assert all((one.float() - two).norm() < 1e-2 * two.norm() for one, two in pairs)


def test_activations_computed_twice_give_the_same_losses(tiny_llama: Path, tmp_path: Path):
    losses = []
    for twice in (False, True):
        inputs = open_run(Setup(tiny_llama, STEPS, place=HALF), tmp_path / str(twice))
        sft.fit(inputs, fast(STEPS, dtype="bfloat16", gradient_checkpointing=twice))
        losses.append([line["loss"] for line in metrics(inputs.run)])

    assert losses[0] == pytest.approx(losses[1], rel=1e-2)


def test_deterministic_run_has_the_same_bits_twice(tiny_llama: Path, tmp_path: Path):
    made = []
    for name in ("once", "again"):
        inputs = open_run(Setup(tiny_llama, STEPS, place=HALF), tmp_path / name)
        sft.fit(inputs, fast(STEPS, dtype="bfloat16", deterministic=True))
        made.append(adapter_bytes(inputs.run))

    assert made[0] == made[1]


@pytest.mark.parametrize("options", [(), ("adapter.kind=qlora", "exports=[{kind: adapter}]")])
def test_recipe_becomes_a_package_that_verifies(options: Sequence[str], recipe: TinyRecipe):
    """Four bits are much to lose for a tiny model, whose merged file would not say the same."""
    outcome = recipe.train(*(word for option in options for word in ("--set", option)))

    assert outcome.code == 0, outcome.err
    assert call("verify", str(recipe.package)).code == 0
