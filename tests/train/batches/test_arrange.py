"""Rows of a step share forward passes; which ones changes time and memory alone (C13)."""

import random
from pathlib import Path

import pytest
import torch
from safetensors.torch import load

from foundry.train.batches import arrange as arranging
from foundry.train.batches import collate
from foundry.train.batches.arrange import MOST_PADDING, Arrangement, arrange
from foundry.train.inputs import FitInputs
from foundry.train.trainers import sft
from tests.cases import case, change
from tests.tiny_run import Setup, adapter_bytes, fast, metrics, open_run

STEPS = 5
LENGTHS = random.Random(0).choices(range(1, 121), k=60)
KINDS = ("packed", "padded", "single")


@pytest.mark.parametrize("kind", KINDS)
def test_every_row_is_in_one_micro_batch(kind: arranging.Kind):
    groups = arrange(LENGTHS, Arrangement(kind, micro_batch_size=4, pack_tokens=500))

    assert sorted(index for group in groups for index in group) == list(range(len(LENGTHS)))
    assert max(map(len, groups)) == (1 if kind == "single" else 4)


def test_row_goes_where_it_leaves_the_least_room():
    # 6 and 5 open bins; 4 fits both and fills the first, 3 fits the second, 2 fills it.
    groups = arrange([2, 3, 4, 5, 6], Arrangement("packed", pack_tokens=10))

    assert groups == [[4, 2], [3, 1, 0]]


def test_pack_holds_no_more_than_its_tokens():
    groups = arrange(LENGTHS, Arrangement("packed", micro_batch_size=60, pack_tokens=128))

    filled = [sum(LENGTHS[index] for index in group) for group in groups]
    assert max(filled) <= 128
    assert len(groups) <= 11 / 9 * -(-sum(LENGTHS) // 128) + 4  # the bound of best fit


def test_row_longer_than_a_pack_is_alone():
    assert arrange([3, 500, 4], Arrangement("packed", pack_tokens=10)) == [[1], [2, 0]]
    assert arrange([3, 500, 4], Arrangement("padded", pack_tokens=10))[0] == [1]


def test_padding_is_a_small_share():
    groups = arrange(LENGTHS, Arrangement("padded", micro_batch_size=8, pack_tokens=512))

    for group in groups:
        positions = len(group) * max(LENGTHS[index] for index in group)
        assert positions - sum(LENGTHS[index] for index in group) <= MOST_PADDING * positions


def fitted(folder: Path, path: Path, kind: arranging.Kind, pack_tokens: int = 512) -> FitInputs:
    """Five steps of four rows, arranged in a way."""
    inputs = open_run(Setup(folder, STEPS, kind=kind, pack_tokens=pack_tokens), path)
    sft.fit(inputs, fast(STEPS))
    return inputs


def seen(inputs: FitInputs) -> list[tuple[int, float]]:
    return [(line["tokens"], line["loss"]) for line in metrics(inputs.run)]


padded, best_fit = collate.padded, arranging._best_fit


def filled_in_front(rows, **named):
    """Padding comes before the row, where causal attention does see it."""
    batch = padded(rows, **named)
    for name, value in batch.items():
        if name in ("input_ids", "labels"):
            for index, row in enumerate(rows):
                value[index] = value[index].roll(value.shape[1] - len(row["input_ids"]))
    return batch


WRONG = {
    "padding is seen": change(collate, "padded", filled_in_front),
    "a row is lost": change(arranging, "_best_fit", lambda *given: best_fit(*given)[:-1]),
    "a row comes twice": change(arranging, "_alike", lambda order, *_: [[*order], [order[0]]]),
}


@case("C13", WRONG)
def test_arrangement_changes_neither_losses_nor_weights(tiny_gemma3: Path, tmp_path: Path):
    runs = {kind: fitted(tiny_gemma3, tmp_path / kind, kind) for kind in KINDS}
    runs["small packs"] = fitted(tiny_gemma3, tmp_path / "small", "packed", pack_tokens=40)
    alone = runs.pop("single")

    for run in runs.values():
        # Float32 sums in another order; AdamW divides by small gradients.
        assert seen(run) == [
            (tokens, pytest.approx(loss, rel=1e-5)) for tokens, loss in seen(alone)
        ]
        found, expected = load(adapter_bytes(run.run)), load(adapter_bytes(alone.run))
        assert max(float((found[n] - expected[n]).abs().max()) for n in expected) < 1e-4


def test_micro_batches_are_those_of_the_arrangement(tiny_llama: Path, tmp_path: Path):
    inputs = open_run(Setup(tiny_llama, 3, kind="padded"), tmp_path)
    shapes: list[torch.Size] = []
    inputs.model.get_base_model().register_forward_pre_hook(
        lambda module, args, named: shapes.append(named["input_ids"].shape), with_kwargs=True
    )

    sft.fit(inputs, fast(3))

    assert any(shape[0] > 1 for shape in shapes)
