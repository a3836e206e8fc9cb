"""Rows that lie in one sequence are not kept apart (C14)."""

from typing import Any

import torch

from foundry.train.batches import collate
from tests.mutants.mutant import Mutant, Patch

correct = collate.flat


def one_row(rows: Any, **named: Any) -> dict[str, Any]:
    batch = correct(rows, **named)
    batch["position_ids"] = torch.arange(batch["input_ids"].shape[1])[None]
    return {**batch, **({"row_lengths": None} if "row_lengths" in batch else {})}


def apply(patch: Patch) -> None:
    patch.setattr(collate, "flat", one_row)


MUTANTS = (Mutant("positions do not restart", apply, "train", "train.loss", "by hand it is"),)
