"""Trainer `pretrain`: continued pre-training, next-token loss on every token of plain texts.

Documents are laid into sequences of `encode.max_seq_len` tokens, none seeing another; every token
is learned but a document's first, its end too. A document longer than a sequence becomes windows
with `encode.overlong: split`. Source: Gururangan et al. (2020), "Don't Stop Pretraining",
https://arxiv.org/abs/2004.10964.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from foundry.train import settings

if TYPE_CHECKING:
    from foundry.core.records import TrainResult
    from foundry.train.inputs import FitInputs

ACCEPTS = ("language-modeling",)
# How it can share the rows of a step among processes.
MANY_PROCESSES = ("ddp", "fsdp2", "deepspeed")

steps_for = settings.steps_for


class Spec(settings.TrainerSettings):
    """How long and how fast to learn; an example is a sequence of documents."""


def sequences(lengths: Sequence[int], *, max_seq_len: int) -> list[list[int]]:
    """Which documents share a sequence, by their lengths in tokens."""
    from foundry.train.batches.documents import best_fit

    return best_fit(lengths, max_seq_len=max_seq_len)


def fit(inputs: "FitInputs", spec: Spec) -> "TrainResult":
    """Train, save and prove as `foundry.train.trainers.sft.fit` does.

    A forward pass holds as many documents as its tokens allow: `micro_batch_size` counts sequences.
    """
    from foundry.models.quiet import quiet

    with quiet():
        from foundry.train import fitting
        from foundry.train.losses.supervised import Supervised

        documents = max((len(sequence) for sequence in inputs.sequences), default=1)
        most = documents * inputs.arrangement.micro_batch_size
        arrangement = replace(inputs.arrangement, micro_batch_size=most)
        return fitting.fit(replace(inputs, arrangement=arrangement), spec, Supervised())
