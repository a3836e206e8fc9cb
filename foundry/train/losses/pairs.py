"""The losses of `dpo`: pairs of a better and a worse answer, against the model before training.

The formulas are those of TRL 1.16, `trl/trainer/dpo_trainer.py`, `DPOTrainer._compute_loss`, of
which three are left out: `sft` is a trainer of its own here, and `aot` and `aot_unpaired` sort the
pairs that happen to share a pass, so that the result would depend on how a step is cut.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from trl import DPOConfig, DPOTrainer

from foundry.train.losses.preference import Absent, AnswerTrainer, Preference, said
from foundry.train.steps import Batch

LN2 = math.log(2)
# Of beta and label smoothing e: the loss where every log-ratio is 0, as policy and reference are
# one model before the first step. Each follows from the formula in the source that `dpo` names.
AT_START: Mapping[str, Callable[[float, float], float]] = {
    "sigmoid": lambda beta, e: LN2,
    "hinge": lambda beta, e: 1.0,
    "ipo": lambda beta, e: (1 / (2 * beta)) ** 2,
    "exo_pair": lambda beta, e: -LN2 - (math.log1p(-e) + math.log(e)) / 2,
    "nca_pair": lambda beta, e: 2 * LN2,
    "robust": lambda beta, e: LN2,
    "bco_pair": lambda beta, e: 2 * LN2,
    "sppo_hard": lambda beta, e: 2 * (0.5 / beta) ** 2,
    "apo_zero": lambda beta, e: 1.0,
    "apo_down": lambda beta, e: 1.0,
    "discopop": lambda beta, e: (LN2 + 1) / 2,
    "sigmoid_norm": lambda beta, e: LN2,
}


class PairTrainer(AnswerTrainer, DPOTrainer):  # type: ignore[misc]
    """A `DPOTrainer` over encoded pairs; an item is a pair."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, ref_model=Absent(kwargs["model"].config), **kwargs)
        self.ref_model = None
        self.precompute_ref_logps = True  # `before_step` did it

    def summed_loss(self, model: Any, inputs: Batch) -> torch.Tensor:
        """The sum of TRL's loss over the pairs of a micro-batch."""
        answers, reference_R = self.log_probs(model, inputs), inputs["reference_R"]
        better_P, worse_P = reference_R.chunk(2)
        given = self.padded_for_trl(answers)
        given |= {"ref_chosen_logps": better_P, "ref_rejected_logps": worse_P}
        self._count_rewards(answers.sums_R.detach() - reference_R)
        loss: torch.Tensor = self._compute_loss(said(answers), given, False)
        return loss * inputs["items"]

    def _count_rewards(self, ratios_R: torch.Tensor) -> None:
        better_P, worse_P = (self.beta * ratios_R).chunk(2)
        self.add("rewards/chosen", better_P)
        self.add("rewards/rejected", worse_P)
        self.add("rewards/accuracies", (better_P > worse_P).float())


@dataclass(frozen=True)
class Pairs(Preference):
    """Prefer the better answer of each pair."""

    loss: str
    beta: float
    label_smoothing: float

    config, trainer = DPOConfig, PairTrainer

    def settings(self) -> dict[str, Any]:
        """The loss, and no cutting of what is encoded already."""
        return {
            "loss_type": [self.loss],
            "beta": self.beta,
            "label_smoothing": self.label_smoothing,
            "max_length": None,
            "disable_dropout": True,
            "router_aux_loss_coef": 0.0,
        }

    def expected(self, sums_R: torch.Tensor, lengths_R: torch.Tensor, rows: Any) -> float:
        """See `AT_START`."""
        return AT_START[self.loss](self.beta, self.label_smoothing)
