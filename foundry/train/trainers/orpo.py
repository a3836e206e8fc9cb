"""Trainer `orpo`: learn the better answer of each pair and away from the worse, without reference.

Source: Hong et al. (2024), "ORPO: Monolithic Preference Optimization without Reference Model",
https://arxiv.org/abs/2403.07691. Experimental in TRL 1.16 (`trl.experimental.orpo`), which may
change or drop it in any version.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from foundry.train import settings
from foundry.train.losses.preference_settings import PreferenceSettings

if TYPE_CHECKING:
    from foundry.core.records import TrainResult
    from foundry.train.inputs import FitInputs

ACCEPTS = ("preference",)
SIDES, REFERENCE_PASSES = 2, 0  # for the plan, see `dpo`
EXPERIMENTAL = "trl.experimental.orpo"
DROPOUT = False  # is refused, see `planning.refusals.check_dropout`
MANY_PROCESSES = ("ddp",)
TEACHES_END = False  # of an answer, see `delivery.parity`

steps_for = settings.steps_for


class Spec(PreferenceSettings):
    """How long and how fast to learn, and what the odds weigh."""


def sequences(lengths: Sequence[int], *, max_seq_len: int) -> list[list[int]]:
    """Which rows share a place in a batch: each has its own."""
    return [[index] for index in range(len(lengths))]


def fit(inputs: "FitInputs", spec: Spec) -> "TrainResult":
    """Train, save and prove as `foundry.train.trainers.sft.fit` does."""
    from foundry.models.quiet import quiet

    with quiet():
        from foundry.train import fitting
        from foundry.train.losses.odds import Odds

        return fitting.fit(inputs, spec, Odds(float(spec.beta)))
