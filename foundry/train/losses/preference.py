"""What the losses of answers share: passes that hold whole pairs, log-probabilities, the reference.

An item of a step is an example: a pair, or an answer with its label. The formulas are TRL's own;
what TRL would do by itself is done here instead: tokenising (engines.md 4), truncating, the passes
through the model and the reference. So the ids trained on are those of the shards, an answer is
never cut, and log-probabilities are float32 sums over the answer's tokens alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, ClassVar

import torch

from foundry.core.language import gettext as _
from foundry.core.records import EncodedRow
from foundry.models.quiet import quiet
from foundry.train import proof
from foundry.train.adapter_files import has_update, moves_base, without_update
from foundry.train.batches import collate
from foundry.train.batches.arrange import arrange
from foundry.train.inputs import FitInputs
from foundry.train.losses.log_probs import (
    Answers,
    alone,
    answer_log_probs,
    by_hand,
    sides_of,
    together,
)
from foundry.train.losses.objective import Objective
from foundry.train.losses.reference import Reference, reference_of
from foundry.train.steps import Batch, Row, StepTrainer, entry

# Each log-probability is a float32 sum over an answer's tokens; see `proof.LOSS_TOLERANCE`.
START_TOLERANCE = 1e-4  # C25: of the loss where policy and reference are one model


class AnswerTrainer(StepTrainer):
    """Mixed in before a trainer of TRL's whose loss is of whole answers."""

    def __init__(self, *args: Any, reference: Reference | None, **kwargs: Any) -> None:
        base = without_update(kwargs["model"])
        with forward_kept(base):
            super().__init__(*args, **kwargs)
        self.reference = reference
        self.first_said: torch.Tensor | None = None
        self.sums: dict[str, list[float]] = {}

    def _prepare_dataset(self, dataset: Any, *_given: Any, **_named: Any) -> Any:
        """The rows are encoded already."""
        return dataset

    def items(self, rows: Sequence[Row]) -> int:
        """Examples."""
        return len(rows)

    def micro_batches(self, rows: Sequence[Row]) -> list[Batch]:
        """Both answers of an example are in one pass: the better ones first, then the worse."""
        lengths = [len(row["input_ids"]) + len(row.get("rejected_input_ids", ())) for row in rows]
        groups = arrange(lengths, self.arrangement)
        return [self._joined([rows[index] for index in group]) for group in groups]

    def _joined(self, rows: Sequence[Row]) -> Batch:
        batch = self.answers_of(
            [*rows, *(_rejected(row) for row in rows if "rejected_labels" in row)]
        )
        return {**batch, "row_ids": [row["id"] for row in rows], "items": len(rows)}

    def answers_of(self, sides: Sequence[Row]) -> Batch:
        """A micro-batch of answers, each with its own prompt before it."""
        lengths = torch.tensor([len(side["input_ids"]) for side in sides])
        numbers = torch.arange(len(sides))
        if self.arrangement.kind == "packed":
            named: dict[str, Any] = {"zeros": self.zeros, "by_row": self.arrangement.by_row}
            batch = collate.flat(sides, **named)
            answers = torch.repeat_interleave(numbers, lengths)[None]
        else:
            batch = collate.padded(sides, zeros=self.zeros)
            answers = numbers[:, None].expand(-1, int(lengths.max()))
        return {**batch, "answer_BT": answers, "lengths": lengths.tolist()}

    def log_probs(self, model: Any, batch: Mapping[str, Any]) -> Answers:
        """Of the answers of a micro-batch, by the model as it is.

        A class that bears no filling reads one side after the other.
        """
        given = collate.on_device(batch, self.args.device)
        with self.compute_loss_context_manager():  # type: ignore[attr-defined]
            if self.arrangement.kind != "single":
                return answer_log_probs(model, given, self.zeros, self.head)
            sides = alone(given, self.zeros)
            return together(
                [answer_log_probs(model, side, self.zeros, self.head) for side in sides]
            )

    def before_step(self, model: Any, batches: Sequence[Batch], rows: Sequence[Row]) -> None:
        """What the reference says of all answers in the micro-batches."""
        if self.reference is None:
            return
        with torch.no_grad(), self.reference():
            for batch in batches:
                batch["reference_R"] = self.log_probs(model, batch).sums_R

    def padded_for_trl(self, answers: Answers) -> dict[str, torch.Tensor]:
        """What TRL's loss reads of a batch besides log-probabilities: where an answer's tokens are.

        It shifts by one, so a position goes before each answer.
        """
        mask_RT = torch.nn.functional.pad(answers.mask_RC, (1, 0))
        ones_RT = torch.ones_like(mask_RT)
        return {"input_ids": ones_RT, "attention_mask": ones_RT, "completion_mask": mask_RT}

    def add(self, name: str, values: torch.Tensor) -> None:
        """Count values of a step's metric, of which the mean is recorded."""
        if self.model.training:
            self.sums.setdefault(name, []).extend(values.detach().flatten().tolist())

    def step_metrics(self) -> dict[str, float]:
        """The means of what was counted in all processes, rewards and margins in nats times beta.

        All must call.
        """
        counted: dict[str, list[float]] = {}
        for one in self.crew.heard(self.sums):
            for name, values in one.items():
                counted.setdefault(name, []).extend(values)
        means = {name: sum(values) / len(values) for name, values in counted.items() if values}
        self.sums = {}
        better, worse = means.get("rewards/chosen"), means.get("rewards/rejected")
        if better is not None and worse is not None:
            means["rewards/margins"] = better - worse
        return means


def _rejected(row: Row) -> Row:
    ids, labels = row["rejected_input_ids"], row["rejected_labels"]
    return {"id": row["id"], "input_ids": ids, "labels": labels}


def said(answers: Answers) -> Any:
    """What TRL's loss takes for a model: it says log-probabilities that are there already.

    TRL 1.16 asks for entropy, mean logits and top-1 besides, for metrics that we do not record.
    """
    nothing_RC = torch.zeros_like(answers.log_probs_RC)
    others = {"entropy": nothing_RC, "mean_logits": nothing_RC, "is_top1": nothing_RC.bool()}
    outputs = SimpleNamespace(log_probs=answers.log_probs_RC, aux_loss=None, **others)
    return lambda **_given: outputs


@contextmanager
def forward_kept(model: Any) -> Iterator[None]:
    """Inside, TRL may put a head of its own on the model; at the end its `forward` is as it was.

    TRL 1.16, `trl/trainer/utils.py`, `add_fused_lm_head`: on the CPU it scores every position.
    """
    before = model.__dict__.get("forward")
    yield
    if before is not None:
        model.forward = before
    else:
        model.__dict__.pop("forward", None)


class Absent(torch.nn.Module):
    """What TRL is given for a reference, so that it makes none; it is never asked.

    Where it is given none, TRL 1.16 adds a second adapter that is a copy of the first, or reads the
    base again by its name.
    """

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config

    def forward(self, *_given: Any, **_named: Any) -> Any:
        """Never called."""
        raise RuntimeError("the reference is not TRL's")


class Preference(Objective):
    """A loss of whole answers."""

    can_try = False
    needs_reference: ClassVar[bool] = True

    def further(self, inputs: FitInputs) -> dict[str, Any]:
        """The model before its first step, where the loss compares with it."""
        return {"reference": reference_of(inputs.model) if self.needs_reference else None}

    def expected(
        self, sums_R: torch.Tensor, lengths_R: torch.Tensor, rows: Sequence[EncodedRow]
    ) -> float:
        """The loss of `rows` by hand, where policy and reference are one model.

        Args:
            sums_R: Log-probabilities by hand of the better answers, then of the worse ones.
            lengths_R: Tokens of each.
            rows: The examples.
        """
        raise NotImplementedError

    def probe(self, trainer: Any, rows: Sequence[EncodedRow], count: int) -> dict[str, Any]:
        """The first batch before any step, held against what is written out by hand.

        Its ids are those of the shards; the log-probability of each answer by the trainer is that
        of its row alone; the reference says what the base says; and the loss is the one that the
        formula has where policy and reference are one (ln 2 for `sigmoid`). C13, C14, C15, C25.

        Raises:
            ProofError: One of them is not so.
        """
        rows = proof.uneven(rows, count)
        entries = [entry(row) for row in rows]
        batches = trainer.micro_batches(entries)
        proof.check_collated(batches, rows)
        model, was_training = trainer.model, trainer.model.training
        model.eval()
        with quiet(), torch.no_grad():
            trainer.before_step(model, batches, entries)
            found = _by_row(trainer, model, batches)
            loss = _loss(trainer, model, batches, len(rows))
            trainer.first_said = _said_by_reference(trainer, model, rows)
            sides = sides_of(rows)
            policy_R, base_R = by_hand(model, sides), _of_the_base(model, sides)
        model.train(was_training)
        half = model.dtype != torch.float32
        names = [row.id for row in rows]
        _check_alike(_("the trainer"), found["policy"], policy_R, names, half)
        if trainer.reference is not None:
            _check_alike(_("the reference"), found["reference"], base_R, names, half)
        lengths_R = torch.tensor([sum(x >= 0 for x in labels[1:]) for _ids, labels in sides])
        expected = self.expected(policy_R, lengths_R, rows)
        if abs(loss - expected) > START_TOLERANCE * max(1.0, abs(expected)) * (100 if half else 1):
            what = _("the loss before the first step is {found:.6f}, by hand it is {expected:.6f}")
            raise proof.refuse("train.loss", what.format(found=loss, expected=expected))
        return {"trainer": round(loss, 7), "by_hand": round(expected, 7), "rows": len(rows)}

    def check_seen(self, trainer: Any, inputs: FitInputs) -> dict[str, Any]:
        """Besides: the reference says of the first batch what it said before the first step. C25.

        Raises:
            ProofError: It does not, so that the model was measured against a tuned one.
        """
        evidence = super().check_seen(trainer, inputs)
        if trainer.reference is None:
            return evidence
        model, count = trainer.model, trainer.args.per_device_train_batch_size
        model.eval()
        now = _said_by_reference(trainer, model, proof.uneven(inputs.rows, count))
        assert trainer.first_said is not None
        change = float((now - trainer.first_said).abs().max())
        most = float(trainer.first_said.abs().max())
        half = model.dtype != torch.float32
        if not change <= (proof.LOSS_TOLERANCE_OF_HALF if half else START_TOLERANCE) * max(
            1.0, most
        ):
            what = _(
                "the reference changed while the model was trained (by up to {change:.3g} nats)"
            )
            raise proof.refuse("train.reference", what.format(change=change))
        return {**evidence, "reference_change": change}


@torch.no_grad()
def _said_by_reference(trainer: Any, model: Any, rows: Sequence[EncodedRow]) -> torch.Tensor:
    """Log-probabilities of the answers of rows, on the CPU; none where there is no reference."""
    if trainer.reference is None:
        return torch.zeros(0)
    batches = trainer.micro_batches([entry(row) for row in rows])
    with trainer.reference():
        return torch.cat([trainer.log_probs(model, batch).sums_R for batch in batches]).cpu()


def _of_the_base(model: Any, sides: Any) -> torch.Tensor:
    """By PEFT's own switch, which the reference need not use; else by the untrained model."""
    if not has_update(model) or moves_base(model):
        return by_hand(model, sides)
    with model.disable_adapter():
        return by_hand(model, sides)


def _by_row(trainer: Any, model: Any, batches: Sequence[Batch]) -> dict[str, dict[Any, float]]:
    """Log-probabilities by row and side (0 the better, 1 the worse), from the micro-batches."""
    found: dict[str, dict[Any, float]] = {"policy": {}, "reference": {}}
    for batch in batches:
        sums_R = trainer.log_probs(model, batch).sums_R
        keys = [(name, side) for side in range(2) for name in batch["row_ids"]][: len(sums_R)]
        found["policy"] |= dict(zip(keys, sums_R.tolist(), strict=True))
        if "reference_R" in batch:
            found["reference"] |= dict(zip(keys, batch["reference_R"].tolist(), strict=True))
    return found


def _loss(trainer: Any, model: Any, batches: Sequence[Batch], rows: int) -> float:
    total = 0.0
    for batch in batches:
        given = collate.on_device(batch, trainer.args.device)
        total += float(trainer.compute_loss(model, given, num_items_in_batch=rows))
    return total


def _check_alike(
    who: str, found: Mapping[Any, float], by_hand_R: torch.Tensor, names: Sequence[str], half: bool
) -> None:
    tolerance = proof.LOSS_TOLERANCE_OF_HALF if half else proof.LOSS_TOLERANCE
    for number, expected in enumerate(by_hand_R.tolist()):
        side, row = divmod(number, len(names))  # a row that is learned twice has one name
        name = names[row]
        value = found[name, side]
        if not abs(value - expected) <= tolerance * max(1.0, abs(expected)):
            what = _("{who} gives an answer of row {row} {found:.6f} nats, by hand {expected:.6f}")
            told = what.format(who=who, row=name, found=value, expected=expected)
            raise proof.refuse("train.loss", told)
