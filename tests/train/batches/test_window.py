"""Rows longer than Gemma's real sliding window are learned in a pack as each is alone (C14)."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy

from foundry.encode.tokenize import IGNORED
from foundry.models.fetch import locate
from foundry.models.load import load_model
from foundry.train.batches.arrange import Arrangement
from foundry.train.batches.attention import attention_by_row
from foundry.train.losses.supervised import cut, supervised_loss

pytestmark = pytest.mark.slow
PACKED = Arrangement("packed", micro_batch_size=2, pack_tokens=2048)
BY_ROW = Arrangement("packed", micro_batch_size=2, pack_tokens=2048, by_row=True)
EVERY = 12  # positions to one whose logits are looked at; there are 262,144 for each
LAYERS = 6  # one turn of Gemma's pattern: five that see the window, one that sees everything
# Float32 sums in another order, over logits of up to 85. Measured with all 18 layers on rows of 700
# and 600 tokens: 0 by row, 8e-5 with the mask of the class; without borders 15.
LARGEST = 1e-4


@pytest.fixture(scope="module")
def gemma() -> Any:
    model = load_model(locate("gemma-3-270m", Path()))
    assert model.config.sliding_window == 512
    model.model.layers = model.model.layers[:LAYERS]
    return model


def row_of(length: int, seed: int) -> dict[str, Any]:
    """A row of any tokens, every twelfth of them supervised."""
    numbers = random.Random(seed)
    ids = [2, *(numbers.randrange(1000, 200_000) for _ in range(length - 1))]
    labels = [token if n % EVERY == 0 else IGNORED for n, token in enumerate(ids)]
    return {"id": str(seed), "input_ids": ids, "labels": labels}


LONG, OTHER, SECOND = row_of(700, 0), row_of(700, 1), row_of(600, 2)
OF_LONG = sum(label != IGNORED for label in LONG["labels"][1:])


@torch.no_grad()
def logits(
    model: Any, rows: Sequence[dict[str, Any]], arrangement: Arrangement = PACKED, **changed: Any
) -> torch.Tensor:
    """At the supervised positions of one micro-batch, as the product's loss sees them."""
    (batch,) = cut(rows, arrangement, ())
    seen: list[torch.Tensor] = []
    handle = model.register_forward_hook(lambda _module, _args, out: seen.append(out.logits[0]))
    try:
        loss = supervised_loss(model, batch | changed)
    finally:
        handle.remove()
    assert float(loss) == pytest.approx(float(losses(seen[0], rows).sum()), rel=1e-6)
    return seen[0]


def losses(logits_SV: torch.Tensor, rows: Sequence[dict[str, Any]]) -> torch.Tensor:
    """Of each supervised token, in nats, written out by hand."""
    targets = [label for one in rows for label in one["labels"][1:] if label != IGNORED]
    return cross_entropy(logits_SV, torch.tensor(targets), reduction="none")


@pytest.fixture(scope="module")
def alone(gemma: Any) -> torch.Tensor:
    """Of both rows, each by itself, with the attention of its class."""
    return torch.cat([logits(gemma, [one]) for one in (LONG, SECOND)])


@pytest.fixture(scope="module")
def together(gemma: Any) -> torch.Tensor:
    """Of both rows in one pack, each attended to by itself."""
    with attention_by_row(gemma):
        return logits(gemma, [LONG, SECOND], BY_ROW)


def assert_alike(found: torch.Tensor, alone: torch.Tensor) -> None:
    assert (found - alone).abs().max() <= LARGEST
    rows = [LONG, SECOND]
    assert (losses(found, rows) - losses(alone, rows)).abs().max() <= LARGEST


def test_rows_longer_than_the_window_are_read_by_row_as_each_is_alone(
    together: torch.Tensor, alone: torch.Tensor
):
    assert_alike(together, alone)  # C14


def test_mask_of_the_class_keeps_rows_apart_beyond_the_window_too(gemma: Any, alone: torch.Tensor):
    assert_alike(logits(gemma, [LONG, SECOND]), alone)


def test_other_row_before_leaves_a_row_as_it_was_to_the_last_bit(
    gemma: Any, together: torch.Tensor
):
    with attention_by_row(gemma):
        other = logits(gemma, [OTHER, SECOND], BY_ROW)

    assert torch.equal(other[OF_LONG:], together[OF_LONG:])
    assert (other - together)[:OF_LONG].abs().max() > 1


def test_row_whose_border_is_not_told_is_read_otherwise(gemma: Any, alone: torch.Tensor):
    with attention_by_row(gemma):
        joined = logits(gemma, [LONG, SECOND], BY_ROW, row_lengths=None, position_ids=None)

    assert (joined - alone)[:OF_LONG].abs().max() <= LARGEST
    assert (joined - alone)[OF_LONG:].abs().max() > 1
