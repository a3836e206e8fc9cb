"""Trainer `reward`: learn from pairs to say how good an answer is, as one number.

What comes out is a judge and not a chat model: the base under a linear head, read at the last token
of a conversation. Source: Ouyang et al. (2022), "Training language models to follow instructions
with human feedback", https://arxiv.org/abs/2203.02155, section 3.5, equation 1.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from foundry.core.fields import Number
from foundry.train import settings
from foundry.train.settings import TrainerSettings

if TYPE_CHECKING:
    from foundry.core.errors import Problem
    from foundry.core.records import BaseModel, TrainResult
    from foundry.train.inputs import FitInputs

ACCEPTS = ("preference",)
GIVES = "reward"
MANY_PROCESSES = ("ddp",)
SIDES = 2  # for the plan, see `dpo`

steps_for = settings.steps_for


class Spec(TrainerSettings):
    """How long and how fast to learn, and what holds rewards near zero.

    One time through the data where neither length is given: with more, reward models soon know
    their pairs by heart (Ouyang et al. 2022, appendix C.2).
    """

    default_epochs: ClassVar[int] = 1

    epochs: Number | None = Field(
        None,
        gt=0,
        description="Times to go through the data; 1 where neither this nor `max_steps` is given "
        "(https://arxiv.org/abs/2203.02155, appendix C.2).",
    )
    center_rewards_coefficient: Number | None = Field(
        None,
        gt=0,
        description="Weight of the square of a pair's summed rewards, which holds them near zero; "
        "0.01 is usual (https://arxiv.org/abs/2312.09244, equation 2). Absent: they may drift.",
    )


def sequences(lengths: Sequence[int], *, max_seq_len: int) -> list[list[int]]:
    """Which rows share a place in a batch: each has its own."""
    return [[index] for index in range(len(lengths))]


def misfit(base: "BaseModel") -> "Problem | None":
    """Why this base can have no reward head; None if it can."""
    from foundry.models import reward_model

    return reward_model.misfit(base)


def fit(inputs: "FitInputs", spec: Spec) -> "TrainResult":
    """Train, save and prove as `foundry.train.trainers.sft.fit` does, by rewards."""
    from foundry.models.quiet import quiet

    with quiet():
        from foundry.train import fitting
        from foundry.train.losses.bradley_terry import BradleyTerry

        centre = spec.center_rewards_coefficient
        return fitting.fit(inputs, spec, BradleyTerry(None if centre is None else float(centre)))
