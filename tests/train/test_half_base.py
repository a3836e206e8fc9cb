"""A frozen base in bfloat16, as it lies on a GPU: what trains is float32, and proven as such.

Nothing here needs a GPU: the processor computes in bfloat16 too, if slowly.
"""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load, save_file

from foundry.core.errors import InterruptedRun, ProofError
from foundry.models.fetch import locate
from foundry.models.load import load_model
from foundry.models.place import CPU, Place, place_of
from foundry.train import adapter_files, fitting, memory, proof
from foundry.train.adapter_files import load_tuned
from foundry.train.adapters import full, lora, qlora
from foundry.train.inputs import FitInputs
from foundry.train.trainers import sft
from tests.cases import case, change
from tests.mutants.adapter_saved_empty import short
from tests.mutants.lora_b_zeroed import zeroed_then_saved
from tests.mutants.scale_wrong import other_alpha
from tests.tiny_run import Setup, adapter_bytes, fast, metrics, open_run

HALF = Place("cpu", "bfloat16")  # what a GPU holds, beside the processor
STEPS = 4
FAMILIES = ("tiny_llama", "tiny_gemma3")
attach, save = lora.attach, adapter_files.save_adapter


@pytest.fixture(scope="module", params=FAMILIES)
def folder(request: pytest.FixtureRequest) -> Path:
    made: Path = request.getfixturevalue(request.param)
    return made


def opened(folder: Path, path: Path, *listeners: Any, **chosen: Any) -> FitInputs:
    return open_run(Setup(folder, STEPS, place=HALF, **chosen), path, *listeners)


def halved(model: Any, spec: Any) -> Any:
    """The update takes the numbers of its base, as PEFT has it before it casts."""
    made = attach(model, spec)
    for parameter in proof.trainable(made).values():
        parameter.data = parameter.data.bfloat16()
    return made


def rounded(model: Any, base: Any, folder: Path, *rest: Any) -> None:
    """What is saved has the numbers of the base."""
    save(model, base, folder, *rest)
    file = folder / adapter_files.WEIGHTS
    tensors = load(file.read_bytes())
    halves = {name: tensor.bfloat16().float() for name, tensor in tensors.items()}
    save_file(halves, file, {"format": "pt"})


BROKEN = {
    "the update is bfloat16": change(lora, "attach", halved),
    "the update is rounded when saved": change(fitting, "save_adapter", rounded),
    "alpha is another in the file": change(fitting, "save_adapter", other_alpha),
    "updates are zeroed when saved": change(fitting, "save_adapter", zeroed_then_saved),
    "a tensor is not saved": change(fitting, "save_adapter", short),
}


@case("C23", BROKEN)
def test_update_on_a_base_in_bfloat16_is_float32_and_read_back_as_it_was(
    folder: Path, tmp_path: Path
):
    inputs = opened(folder, tmp_path)

    result = sft.fit(inputs, fast(STEPS, dtype="bfloat16"))

    trained = proof.trainable(inputs.model)
    assert {p.dtype for p in trained.values()} == {torch.float32}
    assert {p.dtype for p in inputs.model.parameters()} == {torch.float32, torch.bfloat16}
    assert result.proof["optimizer"] == {"tensors": len(trained), "dtype": "float32"}
    assert result.proof["reload"]["largest_difference"] == 0  # the same sums in the same order
    assert {t.dtype for t in load(adapter_bytes(inputs.run)).values()} == {torch.float32}


def test_update_read_upon_a_base_in_bfloat16_keeps_every_bit(tiny_llama: Path, tmp_path: Path):
    inputs = opened(tiny_llama, tmp_path)
    sft.fit(inputs, fast(STEPS, dtype="bfloat16"))

    again = load_tuned(inputs.base, inputs.run.file("adapter"), place=HALF)

    live = {name.replace(".default", ""): p for name, p in proof.trainable(inputs.model).items()}
    found = {name.replace(".default", ""): p for name, p in again.named_parameters()}
    assert live
    assert all(torch.equal(found[name], p) for name, p in live.items())


def test_losses_are_about_those_of_a_base_in_float32(folder: Path, tmp_path: Path):
    losses = []
    for number, place in enumerate((HALF, CPU)):
        inputs = open_run(Setup(folder, STEPS, place=place), tmp_path / str(number))
        sft.fit(inputs, fast(STEPS, dtype="float32" if place == CPU else "bfloat16"))
        losses.append([line["loss"] for line in metrics(inputs.run)])

    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], rel=0.02)  # 8 bits of mantissa


def stop_after_two(event: Any) -> None:
    import os
    import signal

    if event["event"] == "step" and event["step"] == 2:
        os.kill(os.getpid(), signal.SIGTERM)


def test_run_taken_up_again_is_the_straight_one(folder: Path, tmp_path: Path):
    spec = fast(STEPS, dtype="bfloat16")
    straight = opened(folder, tmp_path / "straight")
    sft.fit(straight, spec)
    with pytest.raises(InterruptedRun):
        sft.fit(opened(folder, tmp_path / "run", stop_after_two), spec)
    resumed = opened(folder, tmp_path / "run")

    sft.fit(resumed, spec)

    assert adapter_bytes(resumed.run) == adapter_bytes(straight.run)


def test_base_in_four_bits_computes_in_bfloat16_under_a_float32_update(
    tiny_llama: Path, tmp_path: Path
):
    inputs = opened(tiny_llama, tmp_path, method=qlora, adapter=qlora.Spec(rank=4))

    result = sft.fit(inputs, fast(STEPS, dtype="bfloat16"))

    assert {p.dtype for p in proof.trainable(inputs.model).values()} == {torch.float32}
    assert inputs.model.dtype == torch.bfloat16
    assert result.proof["reload"]["largest_difference"] == 0


def test_plan_for_a_gpu_holds_frozen_weights_in_bfloat16_and_trained_ones_in_float32():
    on_gpu = {"device": "cuda", "dtype": "bfloat16"}

    assert place_of(on_gpu, lora.TRAINS) == Place("cuda", "bfloat16")
    assert place_of(on_gpu, full.TRAINS) == Place("cuda", "float32")
    assert place_of({**on_gpu, "dtype": "float32"}, lora.TRAINS) == Place("cuda", "float32")
    assert place_of({"device": "cpu", "dtype": "bfloat16"}, lora.TRAINS) == CPU
    assert Place("cuda").name == "cuda:0"  # `cuda` is another device to torch and transformers


LOGITS = torch.tensor([[16.0, -3.0, 0.5]])  # numbers of bfloat16


def always(*_given: Any, **_named: Any) -> dict[str, Any]:
    return {}


@case("C40", {"any change will do": change(proof, "check_differs", always)})
def test_change_of_one_rounding_is_not_taken_for_something_learned():
    flipped = LOGITS.clone()
    flipped[0, 0] = torch.nextafter(LOGITS[0, 0].bfloat16(), torch.tensor(0.0).bfloat16()).float()

    assert float((flipped - LOGITS).abs().max()) > proof.MIN_CHANGE
    with pytest.raises(ProofError, match="says what the base says"):
        proof.check_differs(flipped, LOGITS, computed=torch.bfloat16)


@case("C40", {"nothing is compared": change(proof, "check_reload", always)})
def test_model_read_back_may_differ_by_a_rounding_in_bfloat16_and_by_no_more(
    tiny_llama: Path, tmp_path: Path
):
    model = load_model(locate(str(tiny_llama), tmp_path), place=HALF)
    prefixes = [[1, 2, 3]]
    live = proof.next_logits(model, prefixes)
    rounding = proof.rounding(torch.bfloat16, live)

    def check(difference: float, kind: torch.dtype) -> None:
        moved = live.clone()
        moved[0, 7] += difference
        proof.check_reload(moved, tmp_path, lambda _: model, prefixes, computed=kind)

    check(rounding / 2, torch.bfloat16)
    for difference, kind in ((3 * rounding, torch.bfloat16), (rounding / 2, torch.float32)):
        with pytest.raises(ProofError, match="differs from the live model"):
            check(difference, kind)


def test_only_the_weights_of_a_model_that_is_let_go_are_gone(tiny_llama: Path, tmp_path: Path):
    model = opened(tiny_llama, tmp_path).model
    optimizer = torch.optim.AdamW(proof.trainable(model).values())
    model(input_ids=torch.tensor([[1, 2, 3]])).logits.sum().backward()
    optimizer.step()
    live = {name: p.detach().clone() for name, p in model.named_parameters()}

    memory.drop_steps(optimizer, model.parameters())

    assert not optimizer.state
    assert all(p.grad is None for p in model.parameters())
    assert all(torch.equal(p, live[name]) for name, p in model.named_parameters())
    memory.drop_weights(model)
    assert sum(p.numel() for p in model.parameters()) == 0
