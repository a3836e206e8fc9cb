"""Measuring the loss on validation rows takes as much memory for ten times as many rows (C69)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from foundry.core.records import EncodedRow
from foundry.models.quiet import quiet
from foundry.train import fitting, validation
from foundry.train.batches.arrange import Arrangement
from foundry.train.batches.packing import with_rows_apart
from foundry.train.losses.supervised import Supervised
from foundry.train.signals import StopRequest
from tests.cases import case, change
from tests.faults import training
from tests.largest import Largest
from tests.tiny_run import fast

measure = validation.validation_loss


def in_one_pass(trainer: Any, rows: Sequence[EncodedRow], at_once: int) -> float:
    """All rows side by side, as the evaluation of a trainer that keeps every logit has them."""
    before, trainer.arrangement = trainer.arrangement, Arrangement("padded", len(rows), 10**9)
    try:
        return measure(trainer, rows, len(rows))
    finally:
        trainer.arrangement = before


def largest(trainer: Any, rows: Sequence[EncodedRow]) -> int:
    """Bytes of the largest tensor that is made."""
    with Largest() as seen:
        validation.validation_loss(trainer, rows, 4)
    return seen.size_bytes


@pytest.fixture
def trainer(tiny_llama: Path, tmp_path: Path):
    with quiet(), with_rows_apart(training.opened(tiny_llama, tmp_path / "run")) as inputs:
        objective = Supervised()
        head = objective.head(inputs)
        yield fitting.set_up(inputs, fast(1), StopRequest(), head, objective, half=False)[0]


@case("C69", {"all rows go through at once": change(validation, "validation_loss", in_one_pass)})
def test_memory_does_not_grow_with_the_rows(trainer: Any):
    rows = [*trainer_rows(trainer)] * 25

    assert largest(trainer, rows[:200]) <= 1.2 * largest(trainer, rows[:20])


def trainer_rows(trainer: Any) -> list[EncodedRow]:
    """The rows that it was given."""
    given = (row for place in trainer.train_dataset for row in place["rows"])
    return [EncodedRow(r["id"], tuple(r["input_ids"]), tuple(r["labels"])) for r in given]
