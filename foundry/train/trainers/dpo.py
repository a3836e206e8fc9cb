"""Trainer `dpo`: learn from pairs which of two answers is better.

Source: Rafailov et al. (2023), "Direct Preference Optimization: Your Language Model is Secretly a
Reward Model", https://arxiv.org/abs/2305.18290, equation 7. The reference is the base model itself:
what the adapter is before its first step.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from foundry.core.fields import Number, Refused
from foundry.core.language import gettext as _
from foundry.train import settings
from foundry.train.losses.preference_settings import PreferenceSettings

if TYPE_CHECKING:
    from foundry.core.records import TrainResult
    from foundry.train.inputs import FitInputs

ACCEPTS = ("preference",)
# For the plan: answers of a row, and forward passes through the reference for each of its tokens.
SIDES, REFERENCE_PASSES = 2, 1
DROPOUT = False  # is refused, see `planning.refusals.check_dropout`
MANY_PROCESSES = ("ddp",)
TEACHES_END = False  # of an answer, see `delivery.parity`

steps_for = settings.steps_for

# Where the recipe does not say: what the method's own paper takes. Chowdhury et al. (2024),
# https://arxiv.org/abs/2403.00409; Ji et al. (2024), https://arxiv.org/abs/2402.00856. Both as TRL
# 1.16 recommends them, `trl/trainer/dpo_config.py`, `label_smoothing`.
SMOOTHING = {"robust": 0.1, "exo_pair": 1e-3}


class Spec(PreferenceSettings):
    """How long, how fast and by which formula to learn.

    The names are TRL's. `sigmoid`: DPO; `hinge`: SLiC (https://arxiv.org/abs/2309.06657); `ipo`:
    https://arxiv.org/abs/2310.12036; `exo_pair`: https://arxiv.org/abs/2402.00856; `nca_pair`:
    https://arxiv.org/abs/2402.05369; `robust`: https://arxiv.org/abs/2403.00409; `bco_pair`:
    https://arxiv.org/abs/2404.04656; `sppo_hard`: https://arxiv.org/abs/2405.00675; `apo_zero` and
    `apo_down`: https://arxiv.org/abs/2408.06266; `discopop`: https://arxiv.org/abs/2406.08414;
    `sigmoid_norm`: DPO of the mean over an answer's tokens (https://arxiv.org/abs/2411.15124).
    """

    loss: Literal[
        "sigmoid",
        "hinge",
        "ipo",
        "exo_pair",
        "nca_pair",
        "robust",
        "bco_pair",
        "sppo_hard",
        "apo_zero",
        "apo_down",
        "discopop",
        "sigmoid_norm",
    ] = Field("sigmoid", description="The formula, by TRL's name; `sigmoid` is that of the paper.")
    label_smoothing: Number | None = Field(
        None,
        ge=0,
        lt=0.5,
        description="Share of pairs taken to be the wrong way round, for `robust` (0.1 where "
        "absent) and `exo_pair` (above 0, 0.001 where absent); the other formulas have none.",
    )

    @model_validator(mode="after")
    def _smoothing_is_read(self) -> Self:
        if self.label_smoothing is not None and self.loss not in SMOOTHING:
            what = _("`label_smoothing` is for the losses {names}; this is `{loss}`")
            names = ", ".join(f"`{name}`" for name in SMOOTHING)
            raise Refused(what.format(names=names, loss=self.loss), _("remove it"))
        if self.loss == "exo_pair" and self.label_smoothing == 0:
            what = _("`label_smoothing` must be above 0 for `exo_pair`, which takes its logarithm")
            raise Refused(what, _("remove it, or set it to 0.001"))
        return self


def sequences(lengths: Sequence[int], *, max_seq_len: int) -> list[list[int]]:
    """Which rows share a place in a batch: each has its own."""
    return [[index] for index in range(len(lengths))]


def fit(inputs: "FitInputs", spec: Spec) -> "TrainResult":
    """Train, save and prove as `foundry.train.trainers.sft.fit` does.

    Raises:
        ProofError: Besides: before the first step policy and reference are not one model (C25).
    """
    from foundry.models.quiet import quiet

    with quiet():
        from foundry.train import fitting
        from foundry.train.losses.pairs import Pairs

        return fitting.fit(inputs, spec, Pairs(spec.loss, float(spec.beta), smoothing(spec)))


def smoothing(spec: Spec) -> float:
    """What the recipe says, a 0 too; else what the formula's paper takes."""
    chosen = spec.label_smoothing
    return SMOOTHING.get(spec.loss, 0.0) if chosen is None else float(chosen)
