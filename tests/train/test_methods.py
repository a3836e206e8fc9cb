"""What sets a method of training an update apart: its optimizer, its beginning, its resuming."""

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from foundry.core import plugins
from foundry.core.errors import InterruptedRun, RecipeError
from foundry.models.fetch import locate
from foundry.models.language_part import linear_layers
from foundry.models.load import load_model
from foundry.train import proof
from foundry.train.adapter_files import untrained
from foundry.train.adapters import full
from foundry.train.inputs import FitInputs
from foundry.train.losses.supervised import SupervisedTrainer
from foundry.train.trainers import pretrain, sft
from tests.tiny_run import Setup, adapter_bytes, fast, open_run

STEPS = 4
SPECS: dict[str, dict[str, Any]] = {
    "dora": {"rank": 4},
    "pissa": {"rank": 4},
    "olora": {"rank": 4},
    "lora-plus": {"rank": 4},
    "oft": {"block_size": 4},
    "vera": {"rank": 8},
    "hira": {"rank": 4},
    "ia3": {},
}


def setup(folder: Path, kind: str) -> Setup:
    method = plugins.load("adapter", kind)
    return Setup(folder, STEPS, adapter=method.Spec(**SPECS[kind]), method=method)


def stop(event: Any) -> None:
    if event["event"] == "step" and event["step"] == 1:
        os.kill(os.getpid(), signal.SIGTERM)


def stopped_and_straight(made: Setup, path: Path, fit: Callable[[FitInputs], object]) -> set[bytes]:
    """What both runs saved: one value where they ended alike."""
    straight = open_run(made, path / "straight")
    fit(straight)
    with pytest.raises(InterruptedRun):
        fit(open_run(made, path / "again", stop))
    again = open_run(made, path / "again")
    fit(again)
    name = "model/model.safetensors" if made.method is full else "adapter/adapter_model.safetensors"
    return {one.run.file(*name.split("/")).read_bytes() for one in (straight, again)}


@pytest.mark.parametrize("kind", SPECS)
def test_run_taken_up_again_ends_as_one_that_was_not_stopped(
    tiny_llama: Path, tmp_path: Path, kind: str
):
    made = setup(tiny_llama, kind)

    assert len(stopped_and_straight(made, tmp_path, lambda one: sft.fit(one, fast(STEPS)))) == 1


@pytest.mark.parametrize("kind", ["rslora", "qlora", "full", "full, last layers"])
def test_what_has_no_optimizer_of_its_own_goes_on_too(tiny_llama: Path, tmp_path: Path, kind: str):
    method = plugins.load("adapter", kind.partition(",")[0])
    chosen = {"full": {}, "full, last layers": {"last_layers": 1}}.get(kind, {"rank": 4})
    made = Setup(tiny_llama, STEPS, adapter=method.Spec(**chosen), method=method)

    assert len(stopped_and_straight(made, tmp_path, lambda one: sft.fit(one, fast(STEPS)))) == 1


def test_texts_go_on_from_where_they_were_left(tiny_llama: Path, tmp_path: Path):
    def fit(inputs: FitInputs) -> None:
        lengths = [len(row.input_ids) for row in inputs.rows]
        places = pretrain.sequences(lengths, max_seq_len=64)
        spec = pretrain.Spec(max_steps=STEPS, learning_rate=1e-2, global_batch_size=2)
        pretrain.fit(replace(inputs, sequences=places, stop_ids=()), spec)

    assert len(stopped_and_straight(Setup(tiny_llama, STEPS), tmp_path, fit)) == 1


@pytest.mark.parametrize("kind", ["pissa", "olora"])
def test_update_taken_from_the_base_leaves_the_model_as_it_was(tiny_llama: Path, kind: str):
    method = plugins.load("adapter", kind)
    base = locate(str(tiny_llama), Path())
    prefixes = [[5, 6, 7], [8, 9]]
    plain = proof.next_logits(load_model(base), prefixes)

    model = method.attach(load_model(base), method.Spec(**SPECS[kind]))

    assert torch.allclose(proof.next_logits(model, prefixes), plain, atol=1e-4)
    with model.disable_adapter():
        assert not torch.allclose(proof.next_logits(model, prefixes), plain, atol=1e-2)
    with untrained(model, base) as before:  # the whole base, which the model lacks a part of
        assert torch.equal(proof.next_logits(before, prefixes), plain)


@pytest.mark.parametrize("kind", ["pissa", "olora"])
def test_update_wider_than_a_layer_is_refused_before_it_trains(tiny_llama: Path, kind: str):
    """PEFT would begin with as many parts as the layer has, and save what cannot be read."""
    method, base = plugins.load("adapter", kind), locate(str(tiny_llama), Path())
    model = load_model(base)
    least = min(min(layer.weight.shape) for layer in linear_layers(model).values())

    with pytest.raises(RecipeError, match=f"set it to {least} or less"):
        method.attach(model, method.Spec(rank=least + 1))
    assert method.attach(load_model(base), method.Spec(rank=least)) is not None


@pytest.mark.parametrize(("kind", "mark"), [("ia3", "ia3_l"), ("dora", "lora_magnitude_vector")])
def test_what_multiplies_the_base_is_not_pulled_to_zero(
    tiny_llama: Path, tmp_path: Path, kind: str, mark: str
):
    inputs = open_run(setup(tiny_llama, kind), tmp_path)
    trainer = object.__new__(SupervisedTrainer)
    names = trainer.get_decay_parameter_names(inputs.model)

    assert not any(mark in name for name in names)
    assert any(mark in name for name, _p in inputs.model.named_parameters())
    assert ("lora_A" in "".join(names)) == (kind == "dora")


def test_second_matrix_of_lora_plus_learns_faster(tiny_llama: Path, tmp_path: Path):
    made = setup(tiny_llama, "lora-plus")
    inputs = open_run(made, tmp_path)
    kind, named = torch.optim.AdamW, {"lr": 1e-3, "weight_decay": 0.1}
    optimizer = inputs.optimizer(inputs.model, kind, **named)

    names = {id(p): name for name, p in inputs.model.named_parameters()}
    rates = {
        names[id(p)].split(".lora_")[1][0]: group["lr"]
        for group in optimizer.param_groups
        for p in group["params"]
    }
    assert rates == {"A": 1e-3, "B": pytest.approx(16e-3)}
    assert {group["weight_decay"] for group in optimizer.param_groups if group["params"]} == {0.1}
    assert sum(len(g["params"]) for g in optimizer.param_groups) == len(
        proof.trainable(inputs.model)
    )


def test_trainer_uses_the_groups_of_the_adapter(tiny_llama: Path, tmp_path: Path):
    """With a ratio of 1 it is LoRA, and with 16 it is not."""
    method = plugins.load("adapter", "lora-plus")
    bytes_of = {}
    for ratio in (1, 16):
        made = Setup(tiny_llama, STEPS, adapter=method.Spec(rank=4, ratio=ratio), method=method)
        inputs = open_run(made, tmp_path / str(ratio))
        sft.fit(inputs, fast(STEPS))
        bytes_of[ratio] = adapter_bytes(inputs.run)
    lora = plugins.load("adapter", "lora")
    plain = open_run(
        Setup(tiny_llama, STEPS, adapter=lora.Spec(rank=4), method=lora), tmp_path / "lora"
    )
    sft.fit(plain, fast(STEPS))

    assert bytes_of[1] == adapter_bytes(plain.run)
    assert bytes_of[16] != bytes_of[1]
