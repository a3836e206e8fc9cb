"""The loss of `distill`: how far the model's next-token distributions are from a teacher's.

It is taken at the supervised positions alone, those that `sft` learns at. The teacher is frozen and
reads each row of a micro-batch without a gradient just before the model does; neither model's
logits are ever held (`foundry/train/losses/divergence.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from foundry.core.errors import Problem, RecipeError
from foundry.core.language import gettext as _
from foundry.core.records import EncodedRow
from foundry.encode.tokenize import IGNORED
from foundry.models.language_part import token_type_inputs
from foundry.models.load import load_model
from foundry.train import proof
from foundry.train.adapter_files import without_update
from foundry.train.batches.arrange import Arrangement, Kind, arrange
from foundry.train.batches.collate import on_device, padded
from foundry.train.batches.packing import bears_padding
from foundry.train.inputs import FitInputs
from foundry.train.losses.divergence import Measure, by_hand, divergence
from foundry.train.losses.head import HEAD_PROBE_TOKENS, Head, head_of, hidden_states, is_whole
from foundry.train.losses.supervised import OURS, Supervised, SupervisedTrainer
from foundry.train.steps import Batch, Row, entry

TAUGHT = "teacher_SG"  # of a micro-batch: what reaches the teacher's head, position by position


@dataclass(frozen=True)
class Teacher:
    """A frozen model, its head, and how rows go through it together."""

    model: Any
    head: Head
    arrangement: Arrangement

    @torch.no_grad()
    def hidden_SG(self, rows: Sequence[Row]) -> torch.Tensor:
        """What reaches the head where the rows are supervised, row by row, position by position."""
        groups = arrange([len(row["input_ids"]) for row in rows], self.arrangement)
        found: dict[int, torch.Tensor] = {}
        for group in groups:
            batch = padded([rows[n] for n in group], zeros=token_type_inputs(self.model))
            given = {name: value for name, value in batch.items() if name not in OURS}
            with hidden_states(self.model) as seen:
                self.model(**on_device(given, self.model.device), use_cache=False)
            for place, number in enumerate(group):
                labels = torch.tensor(rows[number]["labels"][1:], device=self.model.device)
                found[number] = seen[0][place, (labels != IGNORED).nonzero()[:, 0]]
        return torch.cat([found[number] for number in range(len(rows))])


def open_teacher(inputs: FitInputs) -> Teacher:
    """Load the teacher of these inputs, where the model lies.

    Raises:
        RecipeError: Its class does more with logits than its configuration says.
    """
    assert inputs.teacher is not None
    model = load_model(inputs.teacher, place=inputs.place).requires_grad_(False)
    head = _head(model, inputs)
    kind: Kind = "padded" if bears_padding(model, inputs.rows) else "single"
    return Teacher(model, head, replace(inputs.arrangement, kind=kind, by_row=False))


def _head(model: Any, inputs: FitInputs) -> Head:
    head = head_of(model)
    tokens = torch.tensor([inputs.rows[0].input_ids[:HEAD_PROBE_TOKENS]], device=model.device)
    if head is None or not is_whole(model, head, tokens):
        what = _("the class {name} does more with its logits than its configuration says")
        fix = _("train it with `train.kind: sft`, or choose other models")
        what = what.format(name=type(model).__name__)
        raise RecipeError(Problem("train.kind", what, fix))
    return head


class DistillTrainer(SupervisedTrainer):
    """A `SupervisedTrainer` whose loss is a divergence; an item is a supervised token."""

    def __init__(self, *args: Any, teacher: Teacher, measure: Measure, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.teacher, self.measure = teacher, measure

    def micro_batches(self, rows: Sequence[Row]) -> list[Batch]:
        """The rows of a step as they go through the model, with what the teacher made of them."""
        by_id = {row["id"]: row for row in rows}
        made = super().micro_batches(rows)
        return [
            {**batch, TAUGHT: self.teacher.hidden_SG([by_id[name] for name in batch["row_ids"]])}
            for batch in made
        ]

    def summed_loss(self, model: Any, inputs: Batch) -> torch.Tensor:
        """Sum of divergences in nats."""
        assert self.head is not None
        supervised_BT = inputs["labels"][:, 1:] != IGNORED
        positions_S = supervised_BT.any(dim=0).nonzero()[:, 0]
        given = {n: value for n, value in inputs.items() if n not in (*OURS, TAUGHT)}
        with hidden_states(without_update(model)) as seen:
            model(**given, logits_to_keep=positions_S, use_cache=False)
        student_SH = seen[0][supervised_BT[:, positions_S]]
        return divergence(student_SH, self.head, inputs[TAUGHT], self.teacher.head, self.measure)


class Distillation(Supervised):
    """Come near a teacher at the supervised tokens of each row."""

    trainer = DistillTrainer
    can_try = False  # a step takes the teacher's time too

    def __init__(self, teacher: Teacher, measure: Measure) -> None:
        self.teacher, self.measure = teacher, measure

    def further(self, inputs: FitInputs) -> dict[str, Any]:
        """The teacher, and how far from it is measured."""
        return {"teacher": self.teacher, "measure": self.measure}

    def head(self, inputs: FitInputs) -> Head:
        """The head of the model, without which no divergence is computed here."""
        return _head(without_update(inputs.model), inputs)

    def probe(self, trainer: Any, rows: Sequence[EncodedRow], count: int) -> dict[str, Any]:
        """The first batch's loss by the trainer and from both models' logits, row by row."""
        rows = proof.uneven(rows, count)
        micro_batches = trainer.micro_batches([entry(row) for row in rows])
        proof.check_collated(micro_batches, rows)
        return proof.loss_probe(trainer, rows, micro_batches, self.expected)

    def expected(self, model: Any, rows: Sequence[EncodedRow]) -> float:
        """Mean divergence over the supervised tokens of `rows`, each row alone, written out."""
        total, count = 0.0, 0
        for row in rows:
            labels_T = torch.tensor(row.labels[1:], device=model.device)
            at_S = (labels_T != IGNORED).nonzero()[:, 0]
            ids_1T = torch.tensor([row.input_ids], device=model.device)
            said = (each(input_ids=ids_1T).logits[0, at_S] for each in (model, self.teacher.model))
            student_SV, teacher_SV = said
            total += by_hand(student_SV, teacher_SV, self.measure)
            count += len(at_S)
        return total / count
