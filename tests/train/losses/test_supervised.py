"""The loss is next-token cross-entropy over the supervised tokens of a step (C13, C15)."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load

from foundry.core.records import EncodedRow
from foundry.encode.tokenize import IGNORED
from foundry.train.batches.collate import flat
from foundry.train.inputs import FitInputs
from foundry.train.losses.supervised import supervised_loss
from foundry.train.trainers import sft
from tests.tiny_run import SMALL, Setup, adapter_bytes, fast, metrics, open_run

STEPS = 5


def losses(inputs: FitInputs) -> torch.Tensor:
    return torch.tensor([line["loss"] for line in metrics(inputs.run)], dtype=torch.float64)


def weights(inputs: FitInputs) -> dict[str, torch.Tensor]:
    return dict(load(adapter_bytes(inputs.run)))


@pytest.fixture(scope="module")
def fitted(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory):
    """Train five steps of four rows in micro-batches of a given size; each choice once."""
    made: dict[int, FitInputs] = {}

    def fit(micro_batch_size: int) -> FitInputs:
        if micro_batch_size not in made:
            setup = Setup(tiny_llama, STEPS, micro_batch_size)
            made[micro_batch_size] = open_run(setup, tmp_path_factory.mktemp("run"))
            sft.fit(made[micro_batch_size], fast(STEPS))
        return made[micro_batch_size]

    return fit


def by_hand(model: Any, row: EncodedRow) -> float:
    """Minus the log-probability of each supervised token after those before it, summed."""
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([row.input_ids])).logits[0].double()
    logprobs = logits - logits.exp().sum(-1, keepdim=True).log()
    terms = [-logprobs[t - 1, label] for t, label in enumerate(row.labels) if label != IGNORED]
    return float(sum(terms))


@pytest.mark.parametrize("folder", ["tiny_llama", "tiny_gemma3"])
def test_loss_equals_cross_entropy_written_out(
    folder: str, request: pytest.FixtureRequest, tmp_path: Path
):  # C15
    inputs = open_run(Setup(request.getfixturevalue(folder)), tmp_path)
    row = inputs.rows[0]
    batch = flat([{"id": row.id, "input_ids": row.input_ids, "labels": row.labels}])

    with torch.no_grad():
        found = float(supervised_loss(inputs.model, batch))

    # Float32 against float64 over losses of about 30 nats a token.
    assert found == pytest.approx(by_hand(inputs.model, row), rel=1e-6)


@pytest.mark.parametrize("folder", ["tiny_llama", "tiny_gemma3"])
def test_model_overfitted_on_a_cycle_goes_round_it(
    folder: str, request: pytest.FixtureRequest, tmp_path: Path
):  # C15
    ids = (5, 6, 7, 8) * 4
    row = EncodedRow("cycle", ids, (IGNORED, *ids[1:]))
    setup = Setup(request.getfixturevalue(folder), steps=25, micro_batch_size=1)
    inputs = replace(open_run(setup, tmp_path), rows=[row], stop_ids=())

    sft.fit(inputs, fast(25, global_batch_size=1, learning_rate=2e-2))

    made = inputs.model.generate(torch.tensor([[5]]), max_new_tokens=6, do_sample=False)
    assert made[0].tolist() == [5, 6, 7, 8, 5, 6, 7]


@pytest.mark.parametrize("micro_batch_size", [2, 1])
def test_micro_batches_keep_the_losses(fitted, micro_batch_size: int):  # C13
    whole, split = losses(fitted(4)), losses(fitted(micro_batch_size))

    # Float32 sums in another order: 1.3e-7 measured.
    assert len(whole) == STEPS
    assert ((whole - split).abs() / whole).max() < 1e-6


@pytest.mark.parametrize("micro_batch_size", [2, 1])
def test_micro_batches_keep_the_weights(fitted, micro_batch_size: int):  # C13
    whole, split = weights(fitted(4)), weights(fitted(micro_batch_size))

    # The same rounding, enlarged where AdamW divides by a small gradient: 1.8e-6 measured.
    assert max((whole[name] - split[name]).abs().max() for name in whole) < 1e-5


def test_saved_adapter_has_two_tensors_for_each_layer_chosen(tiny_llama: Path, tmp_path: Path):
    adapter = SMALL.model_copy(update={"target_modules": ("q_proj", "v_proj")})  # C18
    inputs = open_run(Setup(tiny_llama, 3, adapter=adapter), tmp_path)

    result = sft.fit(inputs, fast(3))

    made = weights(inputs)
    assert len(made) == 2 * 2 * 2  # layers, targets, A and B
    assert result.proof["moved"] == {**result.proof["moved"], "tensors": 8, "moved": 8}
    assert result.trainable_parameters == sum(w.numel() for w in made.values())
