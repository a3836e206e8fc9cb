"""The model learns the token after the next (C15)."""

from typing import Any

from foundry.encode.tokenize import IGNORED
from foundry.train.losses import supervised
from tests.mutants.mutant import Mutant, Patch

correct = supervised.supervised_loss


def shifted(model: Any, inputs: dict[str, Any], head: Any = None) -> Any:
    labels = inputs["labels"].roll(-1, dims=1)
    labels[:, -1] = IGNORED
    return correct(model, {**inputs, "labels": labels}, head)


def apply(patch: Patch) -> None:
    patch.setattr(supervised, "supervised_loss", shifted)


MUTANTS = (Mutant("labels are shifted twice", apply, "train", "train.loss", "by hand it is"),)
