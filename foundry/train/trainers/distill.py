"""Trainer `distill`: learn from a teacher what it would say, on the answers of the rows.

At each supervised token the model's next-token distribution is drawn to that of a larger model with
the same tokenizer, which is on this machine. Nothing is sampled: both read the rows as they stand.
Source: Hinton et al. (2015), "Distilling the Knowledge in a Neural Network",
https://arxiv.org/abs/1503.02531, on tokens as Agarwal et al. (2024), "On-Policy Distillation of
Language Models", https://arxiv.org/abs/2306.13649, with data that are given (their λ = 0).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from foundry.core.fields import Number, Refused
from foundry.core.language import gettext as _
from foundry.train import settings

if TYPE_CHECKING:
    from foundry.core.records import TrainResult
    from foundry.train.inputs import FitInputs

ACCEPTS = ("conversation", "language-modeling")
MANY_PROCESSES = ("ddp",)
TEACHES_END = False  # of an answer: it ends where the teacher's would, see `delivery.parity`

steps_for = settings.steps_for

EVEN = 0.5  # of teacher and student, as `beta` of TRL 1.16, `trl/experimental/gkd/gkd_config.py`


class Spec(settings.TrainerSettings):
    """Whom to learn from, how far from it is measured, how long and how fast."""

    teacher: str = Field(
        min_length=1,
        description="The model to learn from, as `base_model` names one; it must have the same "
        "tokenizer, and its licence binds the result too.",
    )
    divergence: Literal["forward-kl", "reverse-kl", "jsd"] = Field(
        "forward-kl",
        description="`forward-kl` covers all that the teacher may say (Hinton et al. 2015), "
        "`reverse-kl` keeps to what it says most, `jsd` lies between "
        "(https://arxiv.org/abs/2306.13649, section 2).",
    )
    beta: Number | None = Field(
        None,
        gt=0,
        lt=1,
        description="The teacher's share in the mixture that `jsd` measures from, 0.5 where absent "
        "as in TRL's GKDConfig; the other divergences have none.",
    )
    temperature: Number = Field(
        1.0,
        gt=0,
        description="What both models' logits are divided by; 1 compares what they say, as TRL's "
        "DistillationConfig does.",
    )

    @model_validator(mode="after")
    def _beta_is_read(self) -> Self:
        if self.beta is not None and self.divergence != "jsd":
            what = _("`beta` is for the divergence `jsd`; this is `{divergence}`")
            raise Refused(what.format(divergence=self.divergence), _("remove it"))
        return self


def sequences(lengths: Sequence[int], *, max_seq_len: int) -> list[list[int]]:
    """Which rows share a place in a batch: each has its own."""
    return [[index] for index in range(len(lengths))]


def fit(inputs: "FitInputs", spec: Spec) -> "TrainResult":
    """Train, save and prove as `foundry.train.trainers.sft.fit` does.

    Raises:
        RecipeError: A class of model does more with its logits than is known of it.
    """
    from foundry.models.quiet import quiet

    with quiet():
        from foundry.train import fitting
        from foundry.train.losses.distilling import Distillation, open_teacher
        from foundry.train.losses.divergence import Measure

        beta = EVEN if spec.beta is None else float(spec.beta)
        measure = Measure(spec.divergence, beta, float(spec.temperature))
        return fitting.fit(inputs, spec, Distillation(open_teacher(inputs), measure))
