"""The loss of `kto`: single answers, each known as good or bad.

Formulas: Ethayarajh et al. (2024), "KTO: Model Alignment as Prospect Theoretic Optimization",
https://arxiv.org/abs/2402.01306, equations 7 and 8; TRL 1.16, `trl/trainer/kto_trainer.py`,
`KTOTrainer._compute_loss`. The point that gains and losses are measured from is how far the model
has moved from the reference: the mean log-ratio of answers to questions that are not theirs, at
least 0. TRL takes it over the rows of one pass; here it is that of the whole step, so that it does
not depend on how a step is cut or on how many processes share it (engines.md 5). A row that a
mixture repeats counts once there: beside itself it would find its own answer. A step of one row,
the last of an epoch, has no strange answer: it is measured from 0, not from itself as in TRL.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from trl import KTOConfig, KTOTrainer

from foundry.encode.tokenize import IGNORED
from foundry.train.batches.arrange import arrange
from foundry.train.losses.preference import Absent, AnswerTrainer, Preference, said
from foundry.train.steps import Batch, Row, tokens_of

# The one loss of TRL's that measures from 0 instead.
WITHOUT_KL = "apo_zero_unpaired"


class UnpairedTrainer(AnswerTrainer, KTOTrainer):  # type: ignore[misc]
    """A `KTOTrainer` over encoded answers with their labels; an item is an answer."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, ref_model=Absent(kwargs["model"].config), **kwargs)
        self.ref_model = None
        self.precompute_ref_logps = True  # `before_step` did it
        # TRL asks for rows in their order because it pairs neighbours beforehand; here a step does.
        self.args.train_sampling_strategy = "random"

    def _joined(self, rows: Sequence[Row]) -> Batch:
        labels_R = torch.tensor([bool(row["label"]) for row in rows])
        return {**super()._joined(rows), "label": labels_R}

    def before_step(self, model: Any, batches: Sequence[Batch], rows: Sequence[Row]) -> None:
        """The reference's log-probabilities, and the step's mean log-ratio of strange answers."""
        super().before_step(model, batches, rows)
        kl = self._kl(model, rows) if self.calculate_KL else torch.zeros(())
        self.add("kl", kl.clamp(min=0))
        for batch in batches:
            batch["kl"] = kl

    @torch.no_grad()
    def _kl(self, model: Any, rows: Sequence[Row]) -> torch.Tensor:
        """The mean over the step; each process reads its share of the answers."""
        distinct = {_name(row): row for row in sorted(rows, key=_name)}  # a mixture may repeat some
        if len(distinct) == 1:
            return torch.zeros((), device=self.args.device)
        strange = exchanged([*distinct.values()])
        own = self.crew.shares(strange, [tokens_of(row) for row in strange])[self.crew.rank]
        groups = arrange([len(row["input_ids"]) for row in own], self.arrangement)
        passes = [self.answers_of([own[index] for index in group]) for group in groups]
        policy = self._sums(model, passes)
        assert self.reference is not None
        with self.reference():
            reference = self._sums(model, passes)
        apart = [p - q for p, q in zip(policy, reference, strict=True)]
        found = [ratio for said in self.crew.heard(apart) for ratio in said]
        return torch.tensor(found, device=self.args.device).mean()

    def _sums(self, model: Any, passes: Sequence[Batch]) -> list[float]:
        return [nats for one in passes for nats in self.log_probs(model, one).sums_R.tolist()]

    def _compute_kl_logps(self, _model: Any, batch: Batch) -> torch.Tensor:
        kl: torch.Tensor = batch["kl"]
        return kl

    def summed_loss(self, model: Any, inputs: Batch) -> torch.Tensor:
        """The sum of TRL's loss over the answers of a micro-batch."""
        answers, reference_R = self.log_probs(model, inputs), inputs["reference_R"]
        labels_R, kl = inputs["label"].to(reference_R.device), inputs["kl"]
        given = self.padded_for_trl(answers) | {"label": labels_R, "kl": kl}
        given |= {"ref_logps": reference_R, "ref_KL_logps": torch.zeros_like(kl)}
        rewards_R = self.beta * (answers.sums_R.detach() - reference_R)
        self.add("rewards/chosen", rewards_R[labels_R])
        self.add("rewards/rejected", rewards_R[~labels_R])
        loss: torch.Tensor = self._compute_loss(said(answers), given, False)
        return loss * inputs["items"]


def exchanged(rows: Sequence[Row]) -> list[Row]:
    """Each question with the answer of the row before it, the first with that of the last.

    As TRL pairs them, `KTOTrainer._prepare_dataset`. None is longer than the longest row: a
    question loses its beginning where the other answer would make it so.
    """
    longest = max(len(row["input_ids"]) for row in rows)
    made = []
    for number, row in enumerate(rows):
        other = rows[number - 1]
        start = _first(other)
        ids, labels = other["input_ids"][start:], other["labels"][start:]
        asked = row["input_ids"][: _first(row)][-(longest - len(ids)) :]
        masked = [IGNORED] * len(asked) + list(labels)
        made.append({"id": row["id"], "input_ids": [*asked, *ids], "labels": masked})
    return made


def _first(row: Row) -> int:
    return next(index for index, label in enumerate(row["labels"]) if label != IGNORED)


def _name(row: Row) -> str:
    name: str = row["id"]
    return name


@dataclass(frozen=True)
class Unpaired(Preference):
    """Make good answers likelier and bad ones less likely than they were."""

    loss: str
    beta: float
    desirable_weight: float
    undesirable_weight: float

    config, trainer = KTOConfig, UnpairedTrainer

    def settings(self) -> dict[str, Any]:
        """The loss, and no cutting of what is encoded already."""
        return {
            "loss_type": self.loss,
            "beta": self.beta,
            "desirable_weight": self.desirable_weight,
            "undesirable_weight": self.undesirable_weight,
            "max_length": None,
            "disable_dropout": True,
            "router_aux_loss_coef": 0.0,
        }

    def expected(self, sums_R: torch.Tensor, lengths_R: torch.Tensor, rows: Any) -> float:
        """Half the weight of each row: a sigmoid of 0 (equation 7)."""
        weight = {True: self.desirable_weight, False: self.undesirable_weight}
        return sum(weight[bool(row.label)] for row in rows) / 2 / len(rows)
