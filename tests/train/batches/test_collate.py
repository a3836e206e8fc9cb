"""Rows laid one after the other: nothing padded, nothing seen across a border (C01, C14)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from foundry.core.records import EncodedRow
from foundry.encode.tokenize import IGNORED
from foundry.models.fetch import locate
from foundry.models.load import load_model
from foundry.train.batches.collate import flat
from foundry.train.losses.supervised import supervised_loss
from tests.tiny_run import Setup, open_run

# Longer than the tiny Gemma's sliding window of 32, and unequal.
A, B = list(range(100, 150)), list(range(200, 245))


def as_row(ids: Sequence[int], name: str = "row", supervised_from: int = 3) -> dict[str, Any]:
    labels = [IGNORED] * supervised_from + list(ids[supervised_from:])
    return {"id": name, "input_ids": list(ids), "labels": labels}


def as_dict(row: EncodedRow) -> dict[str, Any]:
    return {"id": row.id, "input_ids": list(row.input_ids), "labels": list(row.labels)}


@pytest.fixture(scope="module", params=["tiny_llama", "tiny_gemma3"])
def model(request: pytest.FixtureRequest) -> Any:
    return load_model(locate(str(request.getfixturevalue(request.param)), Path()))


@torch.no_grad()
def logits(model: Any, batch: dict[str, Any], *, positions: bool = True) -> torch.Tensor:
    """Logits of a flat batch, shape (tokens, vocabulary), as the trainer asks for them."""
    chosen = {"position_ids": batch["position_ids"]} if positions else {}
    return model(input_ids=batch["input_ids"], use_cache=False, **chosen).logits[0]


def test_rows_follow_each_other_without_padding():
    batch = flat([as_row([5, 6, 7, 8], "a"), as_row([9, 10, 11, 12, 13], "b")])

    assert batch["input_ids"].tolist() == [[5, 6, 7, 8, 9, 10, 11, 12, 13]]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 3, 0, 1, 2, 3, 4]]
    assert batch["labels"].tolist() == [[*[IGNORED] * 3, 8, *[IGNORED] * 3, 12, 13]]
    assert batch["row_ids"] == ["a", "b"]


def test_first_token_of_a_row_is_never_predicted_from_the_row_before():  # C14
    batch = flat([as_row([5, 6], "a", 0), as_row([7, 8], "b", 0)])

    assert batch["labels"].tolist() == [[IGNORED, 6, IGNORED, 8]]


def test_every_answer_of_a_batch_keeps_its_end(tiny_llama: Path, tmp_path: Path):  # C01
    inputs = open_run(Setup(tiny_llama), tmp_path)
    # The tokenizer has no pad token: the case in which libraries take the EOS for one.
    assert inputs.tokenizer.pad_token_id is None

    batch = flat([as_dict(row) for row in inputs.rows])

    (stop,) = inputs.stop_ids
    assert (batch["labels"] == stop).sum() == len(inputs.rows)
    assert batch["input_ids"].numel() == sum(len(row.input_ids) for row in inputs.rows)


def test_row_in_a_pack_has_the_logits_it_has_alone(model: Any):  # C14
    packed = logits(model, flat([as_row(A), as_row(B)]))

    alone = logits(model, flat([as_row(B)]))

    # Float32: the same sums over a masked row, in another order.
    assert (packed[len(A) :] - alone).abs().max() < 1e-4


def test_other_tokens_in_a_row_leave_the_next_row_untouched(model: Any):  # C14
    changed = [token + 50 for token in A]

    before = logits(model, flat([as_row(A), as_row(B)]))[len(A) :]
    after = logits(model, flat([as_row(changed), as_row(B)]))[len(A) :]

    assert torch.equal(before, after)


def test_later_row_leaves_the_row_before_untouched(model: Any):  # C14
    before = logits(model, flat([as_row(A), as_row(B)]))[: len(A)]
    after = logits(model, flat([as_row(A), as_row([token + 50 for token in B])]))[: len(A)]

    assert torch.equal(before, after)


def test_control_without_position_ids_sees_the_other_row(model: Any):  # C14
    changed = [token + 50 for token in A]

    before = logits(model, flat([as_row(A), as_row(B)]), positions=False)[len(A) :]
    after = logits(model, flat([as_row(changed), as_row(B)]), positions=False)[len(A) :]

    assert (before - after).abs().max() > 0.1


def test_loss_of_a_pack_is_the_sum_of_its_rows(model: Any):  # C14
    with torch.no_grad():
        packed = float(supervised_loss(model, flat([as_row(A), as_row(B)])))
        alone = [float(supervised_loss(model, flat([as_row(ids)]))) for ids in (A, B)]

    assert packed == pytest.approx(sum(alone), rel=1e-5)  # float32 sums in another order
