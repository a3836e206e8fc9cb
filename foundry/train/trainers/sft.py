"""Trainer `sft`: supervised fine-tuning, next-token loss on the answers only."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from foundry.train import settings

if TYPE_CHECKING:
    from foundry.core.records import TrainResult
    from foundry.train.inputs import FitInputs

ACCEPTS = ("conversation", "language-modeling")
# How it can share the rows of a step among processes.
MANY_PROCESSES = ("ddp", "fsdp2", "deepspeed")

steps_for = settings.steps_for


class Spec(settings.TrainerSettings):
    """How long and how fast to learn."""


def sequences(lengths: Sequence[int], *, max_seq_len: int) -> list[list[int]]:
    """Which rows share a place in a batch: each has its own."""
    return [[index] for index in range(len(lengths))]


def fit(inputs: "FitInputs", spec: Spec) -> "TrainResult":
    """Train the adapter, save it to `adapter/`, and prove that it learned.

    Resumes from the newest whole checkpoint of the run.

    Raises:
        InterruptedRun: A signal came; the state is saved.
        DataError: Loss or gradient is not finite.
        ProofError: A check of the learning proof failed.
    """
    from foundry.models.quiet import quiet

    with quiet():
        from foundry.train import fitting
        from foundry.train.losses.supervised import Supervised

        return fitting.fit(inputs, spec, Supervised())
