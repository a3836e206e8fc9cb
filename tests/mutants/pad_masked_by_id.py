"""Padding is told by its id, which is that of the end, so that no end is learned (C01)."""

from typing import Any

from foundry.encode.tokenize import IGNORED
from foundry.train import fitting
from tests.mutants.mutant import Mutant, Patch

correct, trainer = fitting.flat, fitting._trainer


def masking(rows: Any, **named: Any) -> dict[str, Any]:
    batch = correct(rows, **named)
    end = rows[0]["labels"][-1]
    batch["labels"][batch["labels"] == end] = IGNORED
    return batch


def masking_only_in_training(*arguments: Any) -> Any:
    made = trainer(*arguments)
    made.data_collator = masking
    return made


def in_the_collator(patch: Patch) -> None:
    patch.setattr(fitting, "flat", masking)


def after_the_probe(patch: Patch) -> None:
    patch.setattr(fitting, "_trainer", masking_only_in_training)


SAYS = "the loss was taken on other tokens than encoded"
MUTANTS = (
    Mutant("ends are masked", in_the_collator, "train", "train.mask", SAYS),
    Mutant("ends are masked in training alone", after_the_probe, "train", "train.mask", SAYS),
)
