"""The loss of `orpo`: the better answer is learned, and its odds are raised over the worse one's.

Formula: Hong et al. (2024), "ORPO: Monolithic Preference Optimization without Reference Model",
https://arxiv.org/abs/2403.07691, equations 1, 4, 6 and 7, with P(y|x) the geometric mean of an
answer's token probabilities; the odds term is TRL 1.16's, `trl/experimental/orpo/orpo_trainer.py`,
`ORPOTrainer.odds_ratio_loss`. TRL takes the first term over the prompt too and over the tokens of a
pass; here it is that of the answer alone, the mean of each, as in equation 1.
"""

import math
from dataclasses import dataclass
from typing import Any

import datasets
import torch
from trl.experimental.orpo import ORPOConfig, ORPOTrainer

from foundry.train.losses.preference import AnswerTrainer, Preference
from foundry.train.steps import Batch

# An answer that the model is sure of has a mean of exactly 0 in float32, whose odds are infinite
# and whose gradient is no number. A unit below is the surest that float32 tells from it.
SUREST = -(2.0**-23)


class OddsTrainer(AnswerTrainer, ORPOTrainer):  # type: ignore[misc]
    """An `ORPOTrainer` over encoded pairs; an item is a pair."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        shown = not datasets.are_progress_bars_disabled()
        datasets.disable_progress_bars()  # it maps the rows three times, to what they are
        try:
            super().__init__(*args, **kwargs)
        finally:
            if shown:
                datasets.enable_progress_bars()

    def tokenize_row(self, *_given: Any, **_named: Any) -> dict[str, Any]:
        """The rows are encoded already."""
        return {}

    def summed_loss(self, model: Any, inputs: Batch) -> torch.Tensor:
        """The sum over the pairs of a micro-batch."""
        better_P, worse_P = self.log_probs(model, inputs).means_R.chunk(2)
        weighted_P, better_reward_P, worse_reward_P, _ratio, _odds = self.odds_ratio_loss(
            better_P.clamp(max=SUREST), worse_P.clamp(max=SUREST)
        )
        self.add("rewards/chosen", better_reward_P)
        self.add("rewards/rejected", worse_reward_P)
        self.add("rewards/accuracies", (better_reward_P > worse_reward_P).float())
        self.add("nll_loss", -better_P)
        return (-better_P - weighted_P).sum()


@dataclass(frozen=True)
class Odds(Preference):
    """Learn the better answer of each pair and not the worse one; there is no reference."""

    beta: float

    config, trainer = ORPOConfig, OddsTrainer
    needs_reference = False

    def settings(self) -> dict[str, Any]:
        """The weight of the odds."""
        return {"beta": self.beta, "disable_dropout": True}

    def expected(self, sums_R: torch.Tensor, lengths_R: torch.Tensor, rows: Any) -> float:
        """The formula itself, of log-probabilities by hand."""
        means = (sums_R / lengths_R).tolist()
        better, worse = means[: len(rows)], means[len(rows) :]
        return sum(map(self._of_a_pair, better, worse)) / len(rows)

    def _of_a_pair(self, better: float, worse: float) -> float:
        a, b = min(better, SUREST), min(worse, SUREST)
        odds = a - math.log(-math.expm1(a)) - b + math.log(-math.expm1(b))
        return -better + self.beta * math.log1p(math.exp(-odds))
