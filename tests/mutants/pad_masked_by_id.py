"""Padding is told by its id, which is that of the end, so that no end is learned (C01)."""

from typing import Any

from foundry.encode.tokenize import IGNORED
from foundry.train import fitting
from foundry.train.batches import collate
from tests.mutants.mutant import Mutant, Patch

correct, trainer = collate.flat, fitting._trainer


def masking(rows: Any, **named: Any) -> dict[str, Any]:
    batch = correct(rows, **named)
    end = rows[0]["labels"][-1]
    batch["labels"][batch["labels"] == end] = IGNORED
    return batch


def masking_only_in_training(*arguments: Any) -> Any:
    made = trainer(*arguments)
    together = made.data_collator
    made.data_collator = lambda places: {
        "rows": [without_end(row) for row in together(places)["rows"]]
    }
    return made


def without_end(row: Any) -> dict[str, Any]:
    end = row["labels"][-1]
    return {**row, "labels": [IGNORED if label == end else label for label in row["labels"]]}


def in_the_collator(patch: Patch) -> None:
    patch.setattr(collate, "flat", masking)


def after_the_probe(patch: Patch) -> None:
    patch.setattr(fitting, "_trainer", masking_only_in_training)


SAYS = "the loss was taken on other tokens than encoded"
MUTANTS = (
    Mutant("ends are masked", in_the_collator, "train", "train.mask", SAYS),
    Mutant("ends are masked in training alone", after_the_probe, "train", "train.mask", SAYS),
)
