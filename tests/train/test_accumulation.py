"""How a step is cut into micro-batches changes neither its loss nor its gradient (C13).

Two processes: `processes/test_processes.py`.
"""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from foundry.core.records import EncodedRow
from foundry.encode.tokenize import IGNORED
from foundry.models.fetch import locate
from foundry.models.load import load_model
from foundry.models.tokenizer import load_tokenizer
from foundry.train import proof
from foundry.train.adapters import lora
from foundry.train.inputs import FitInputs
from foundry.train.trainers import sft
from tests.cases import case
from tests.mutants.mean_of_means import MUTANTS
from tests.tiny_run import Setup, fast, metrics, open_run

LONG, SHORT = 20, 30  # tokens; each is followed by itself
LOSSES = {LONG: 2.0, SHORT: 0.2}  # nats, of every prediction after the token
ROWS = (
    EncodedRow("long", (LONG,) * 11, (IGNORED, *[LONG] * 10)),
    EncodedRow("short", (SHORT,) * 2, (IGNORED, SHORT)),
)
AVERAGED = {mutant.fault: mutant.apply for mutant in MUTANTS}


@pytest.fixture(scope="module")
def known_losses(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny Llama with weights such that its losses are those of `LOSSES`.

    The blocks add nothing, so what reaches the head is the token's own embedding: a different
    axis for each of the two, which the last norm makes sqrt(width) long.
    """
    folder = tmp_path_factory.mktemp("known") / "known-losses"
    base = locate(str(tiny_llama), tiny_llama)
    model = load_model(base)
    with torch.no_grad():
        for block in model.model.layers:
            block.self_attn.o_proj.weight.zero_()
            block.mlp.down_proj.weight.zero_()
        embedding, head = model.get_input_embeddings().weight, model.get_output_embeddings().weight
        head.zero_()
        for axis, (token, loss) in enumerate(LOSSES.items()):
            # Long, so that the epsilon of the norm is nothing beside it.
            embedding[token] = 30 * torch.eye(embedding.shape[1])[axis]
            # All other logits are 0: loss = log(e^logit + V - 1) - logit.
            logit = math.log((head.shape[0] - 1) / math.expm1(loss))
            head[token, axis] = logit / math.sqrt(embedding.shape[1])
    model.save_pretrained(folder)
    load_tokenizer(base).save_pretrained(folder)
    return folder


def first_loss(folder: Path, path: Path, micro_batch_size: int) -> float:
    """Train on the two rows in one step; the loss that is logged of the first."""
    places = lora.Spec(rank=4, alpha=8, target_modules=("o_proj", "down_proj"))
    setup = Setup(folder, 3, micro_batch_size, places)
    inputs = replace(open_run(setup, path), rows=ROWS, stop_ids=())
    sft.fit(inputs, fast(3, global_batch_size=2))
    return float(metrics(inputs.run)[0]["loss"])


@case("C13", AVERAGED)
def test_loss_of_a_step_weighs_every_token_alike(known_losses: Path, tmp_path: Path):
    whole = first_loss(known_losses, tmp_path / "whole", 2)
    split = first_loss(known_losses, tmp_path / "split", 1)

    # (10 * 2.0 + 1 * 0.2) / 11, not (2.0 + 0.2) / 2 and not 2.0 + 0.2.
    assert [whole, split] == pytest.approx([20.2 / 11] * 2, rel=1e-6)  # float32: 1.836


def gradients(inputs: FitInputs) -> torch.Tensor:
    """Every gradient of the first step, before it is clipped, in one vector."""
    trained = proof.trainable(inputs.model)
    found: dict[str, torch.Tensor] = {}

    def keep(name: str, parameter: torch.Tensor) -> None:
        if not inputs.run.file("metrics.jsonl").exists():  # which the end of the first step writes
            found[name] = parameter.grad.clone()

    for name, parameter in trained.items():
        parameter.register_post_accumulate_grad_hook(lambda p, name=name: keep(name, p))
        with torch.no_grad():
            parameter += 0.02  # a B of zeros would let no gradient through to its A
    sft.fit(inputs, fast(3, global_batch_size=2))
    return torch.cat([found[name].flatten() for name in trained])


def row_of(first: int, supervised: int) -> EncodedRow:
    """One prompt token and some supervised ones."""
    ids = tuple(range(first, first + 1 + supervised))
    return EncodedRow(f"row-{first}", ids, (IGNORED, *ids[1:]))


@case("C13", AVERAGED)
def test_gradient_of_a_step_is_that_of_its_micro_batches(tiny_llama: Path, tmp_path: Path):
    made = {}
    for size in (2, 1):
        inputs = open_run(Setup(tiny_llama, 3, size), tmp_path / str(size))
        rows = [row_of(10, supervised=10), row_of(30, supervised=1)]
        made[size] = gradients(replace(inputs, rows=rows, stop_ids=()))

    # Float32 sums in another order.
    assert made[2].norm() > 0.1
    assert (made[2] - made[1]).norm() / made[2].norm() < 1e-6
