"""The loss of `reward`: of two answers, the better one is to have the higher reward.

Formula: -log sigmoid(r_better - r_worse - margin), the model of Bradley and Terry (1952) as Ouyang
et al. (2022), https://arxiv.org/abs/2203.02155, equation 1, have it; the margin is that of Touvron
et al. (2023), https://arxiv.org/abs/2307.09288, equation 2. A pair alone decides differences, so
that rewards may drift; what holds them near zero is c (r_better + r_worse)^2, Eisenstein et al.
(2023), https://arxiv.org/abs/2312.09244, equation 2. All as TRL 1.16,
`trl/trainer/reward_trainer.py`, `RewardTrainer.compute_loss`, but for the place where a reward is
read: TRL goes by the filling's id, here the lengths say where an answer ends.
"""

# P pairs, R = 2P answers, the better ones first

import math
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import logsigmoid
from trl import RewardConfig, RewardTrainer

from foundry.core.language import gettext as _
from foundry.core.records import EncodedRow
from foundry.runtime.rewards import rewards_at, rewards_of
from foundry.train import proof
from foundry.train.batches import collate
from foundry.train.batches.packing import largest_noise
from foundry.train.inputs import FitInputs
from foundry.train.losses.log_probs import FOR_THE_MODEL, alone, sides_of
from foundry.train.losses.objective import Objective
from foundry.train.losses.preference import AnswerTrainer
from foundry.train.steps import Batch, Row, entry


class JudgeTrainer(AnswerTrainer, RewardTrainer):  # type: ignore[misc]
    """A `RewardTrainer` over encoded pairs; an item is a pair."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        config = kwargs["model"].config.get_text_config()
        before, tokenizer = config.pad_token_id, kwargs["processing_class"]
        pad = tokenizer.pad_token
        super().__init__(*args, reference=None, **kwargs)
        # TRL makes the end of an answer the filling where a tokenizer names none.
        config.pad_token_id, tokenizer.pad_token = before, pad

    def _joined(self, rows: Sequence[Row]) -> Batch:
        margins = torch.tensor([row.get("margin") or 0.0 for row in rows])
        return {**super()._joined(rows), "margin_P": margins}

    def rewards(self, model: Any, batch: Mapping[str, Any]) -> torch.Tensor:
        """Of the answers of a micro-batch, float32, shape (R,)."""
        given = collate.on_device(batch, self.args.device)
        passes = alone(given, self.zeros) if self.arrangement.kind == "single" else [given]
        # The decoder is asked past what accelerate puts around the model for the training.
        is_half = self.accelerator.autocast() if self.model.training else nullcontext()
        with is_half:
            hidden_RH = torch.cat([self._at_ends(model, one) for one in passes])
        return rewards_at(model, hidden_RH)

    def _at_ends(self, model: Any, given: Mapping[str, Any]) -> torch.Tensor:
        """What reaches the head at the last token of each answer, shape (R, H)."""
        names = [name for name in (*FOR_THE_MODEL, *self.zeros) if name in given]
        decoder = model.get_decoder()
        out = decoder(**{name: given[name] for name in names}, use_cache=False)
        hidden_BTH = out.last_hidden_state
        ends_R = torch.tensor(given.get("lengths", [hidden_BTH.shape[1]])) - 1
        if self.arrangement.kind == "packed":
            ends_R = torch.tensor(given["lengths"]).cumsum(0) - 1
            return hidden_BTH[0, ends_R.to(hidden_BTH.device)]
        rows_R = torch.arange(len(ends_R))
        return hidden_BTH[rows_R, ends_R]

    def summed_loss(self, model: Any, inputs: Batch) -> torch.Tensor:
        """The sum over the pairs of a micro-batch."""
        better_P, worse_P = self.rewards(model, inputs).chunk(2)
        self.add("rewards/chosen", better_P)
        self.add("rewards/rejected", worse_P)
        self.add("rewards/accuracies", (better_P > worse_P).float())
        loss_P = -logsigmoid(better_P - worse_P - inputs["margin_P"].to(better_P.device))
        centre = self.args.center_rewards_coefficient or 0.0
        return (loss_P + centre * (better_P + worse_P) ** 2).sum()


@dataclass(frozen=True)
class BradleyTerry(Objective):
    """Give the better answer of each pair the higher reward."""

    center_rewards_coefficient: float | None = None

    config, trainer = RewardConfig, JudgeTrainer
    can_try = False

    def settings(self) -> dict[str, Any]:
        """No cutting of what is encoded already; dropout is what the recipe says."""
        return {
            "center_rewards_coefficient": self.center_rewards_coefficient,
            "max_length": None,
            "disable_dropout": False,
        }

    def head(self, inputs: FitInputs) -> None:
        """There are no logits of tokens."""

    def probes(self, rows: Sequence[EncodedRow]) -> list[list[int]]:
        """Whole conversations with either answer of the first rows."""
        return [list(ids) for ids, _labels in sides_of(rows[: proof.PROBE_ROWS])]

    def says(self, model: Any, prefixes: Sequence[Sequence[int]]) -> torch.Tensor:
        """The rewards of conversations, shape (N, 1)."""
        return rewards_of(model, prefixes)[:, None]

    def probe(self, trainer: Any, rows: Sequence[EncodedRow], count: int) -> dict[str, Any]:
        """The first batch before any step: ids, rewards and loss, held against those by hand.

        The ids are those of the shards, the reward of each answer is that of its row alone, and the
        loss is the formula's of rewards by hand. C13, C14, C15.

        Raises:
            ProofError: One of them is not so.
        """
        rows = proof.uneven(rows, count)
        batches = trainer.micro_batches([entry(row) for row in rows])
        proof.check_collated(batches, rows)
        model, was_training = trainer.model, trainer.model.training
        model.eval()
        with torch.no_grad():
            found = self._by_row(trainer, model, batches)
            losses = [
                float(trainer.compute_loss(model, dict(batch), num_items_in_batch=len(rows)))
                for batch in batches
            ]
        by_hand = rewards_of(model, [ids for ids, _labels in sides_of(rows)])
        model.train(was_training)
        names = [(row.id, side) for side in range(2) for row in rows]
        expected = dict(zip(names, by_hand.tolist(), strict=True))
        tolerance = max(proof.loss_tolerance(model), _noise(model))
        _check_rewards(found, expected, tolerance)
        loss, wanted = sum(losses), self.by_hand(rows, expected)
        if abs(loss - wanted) > tolerance * max(1.0, abs(wanted)):
            what = _("the loss before the first step is {found:.6f}, by hand it is {expected:.6f}")
            raise proof.refuse("train.loss", what.format(found=loss, expected=wanted))
        return {"trainer": round(loss, 7), "by_hand": round(wanted, 7), "rows": len(rows)}

    def _by_row(self, trainer: Any, model: Any, batches: Sequence[Batch]) -> dict[Any, float]:
        """Rewards by row and side (0 the better, 1 the worse), from the micro-batches."""
        found: dict[Any, float] = {}
        for batch in batches:
            keys = [(name, side) for side in range(2) for name in batch["row_ids"]]
            found |= dict(zip(keys, trainer.rewards(model, batch).tolist(), strict=True))
        return found

    def by_hand(self, rows: Sequence[EncodedRow], rewards: Mapping[Any, float]) -> float:
        """The mean loss of pairs whose rewards are known, by row and side."""
        return sum(self._of_a_pair(row, rewards) for row in rows) / len(rows)

    def _of_a_pair(self, row: EncodedRow, rewards: Mapping[Any, float]) -> float:
        better, worse = rewards[row.id, 0], rewards[row.id, 1]
        apart = better - worse - (row.margin or 0.0)
        centre = (self.center_rewards_coefficient or 0.0) * (better + worse) ** 2
        return math.log1p(math.exp(-abs(apart))) + max(0.0, -apart) + centre


def _noise(model: Any) -> float:
    """What rounding may move a reward by; one begins below 1, see `reward_model._begin`."""
    return 0.0 if model.dtype == torch.float32 else largest_noise(model)


def _check_rewards(
    found: Mapping[Any, float], expected: Mapping[Any, float], tolerance: float
) -> None:
    for name, value in expected.items():
        if not abs(found[name] - value) <= tolerance * max(1.0, abs(value)):
            what = _("the trainer gives an answer of row {row} {found:.6f}, by hand {expected:.6f}")
            told = what.format(row=name[0], found=found[name], expected=value)
            raise proof.refuse("train.loss", told)
