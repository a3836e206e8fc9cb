"""Trainer `kto`: learn from single answers, each marked good or bad.

Source: Ethayarajh et al. (2024), "KTO: Model Alignment as Prospect Theoretic Optimization",
https://arxiv.org/abs/2402.01306, equations 7 and 8.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from foundry.core.fields import Number
from foundry.train import settings
from foundry.train.losses.preference_settings import PreferenceSettings

if TYPE_CHECKING:
    from foundry.core.records import TrainResult
    from foundry.train.inputs import FitInputs

ACCEPTS = ("unpaired-preference",)
# For the plan: one answer a row; a pass through the reference, and one each through model and
# reference for an answer to another question.
SIDES, REFERENCE_PASSES = 1, 3
DROPOUT = False  # is refused, see `planning.refusals.check_dropout`
MANY_PROCESSES = ("ddp",)
TEACHES_END = False  # of an answer, see `delivery.parity`

steps_for = settings.steps_for


class Spec(PreferenceSettings):
    """How long, how fast and by which formula to learn."""

    loss: Literal["kto", "apo_zero_unpaired"] = Field(
        "kto",
        description="The formula, by TRL's name; `apo_zero_unpaired` measures from 0 "
        "(https://arxiv.org/abs/2408.06266).",
    )
    global_batch_size: int = Field(
        8,
        ge=2,
        description="Examples in one optimizer step, over all devices; at least two, since `kto` "
        "pairs each question with the answer of another.",
    )
    desirable_weight: Number = Field(1.0, gt=0, description="Weight of the good answers.")
    undesirable_weight: Number = Field(
        1.0,
        gt=0,
        description="Weight of the bad ones. Weight times number of the good ones should be 1 to "
        "4/3 of the same of the bad ones (equation 8 of https://arxiv.org/abs/2402.01306).",
    )


def sequences(lengths: Sequence[int], *, max_seq_len: int) -> list[list[int]]:
    """Which rows share a place in a batch: each has its own."""
    return [[index] for index in range(len(lengths))]


def fit(inputs: "FitInputs", spec: Spec) -> "TrainResult":
    """Train, save and prove as `foundry.train.trainers.dpo.fit` does."""
    from foundry.models.quiet import quiet

    with quiet():
        from foundry.train import fitting
        from foundry.train.losses.unpaired import Unpaired

        weights = float(spec.desirable_weight), float(spec.undesirable_weight)
        return fitting.fit(inputs, spec, Unpaired(spec.loss, float(spec.beta), *weights))
