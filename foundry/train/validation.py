"""The loss on rows that nothing is learned from: which step was the best, and when to stop.

It is measured by the code that trains, without dropout and without a gradient, and in passes of as
many tokens, so that its memory does not grow with the rows (C69).
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from foundry.core.records import EncodedRow
from foundry.train.settings import EarlyStopping, TrainerSettings
from foundry.train.steps import StepTrainer, entry

METRIC = "validation-loss"
KEY = "eval_loss"  # of a line of `metrics.jsonl`


@dataclass
class Course:
    """What was measured so far, in the order of the steps.

    A loss that is no number is noted and is never the best. A step is better than another where
    its loss is lower by more than `min_delta`; the best itself is the lowest of all.
    """

    stopping: EarlyStopping | None = None
    losses: dict[int, float | None] = field(default_factory=dict)
    gone: frozenset[int] = frozenset()  # steps whose weights are no longer there

    @classmethod
    def of(cls, metrics: Path, stopping: EarlyStopping | None) -> "Course":
        """The course of a run that goes on, read from the lines of its `metrics.jsonl`."""
        made = cls(stopping)
        for line in metrics.read_bytes().splitlines() if metrics.is_file() else ():
            record = json.loads(line)
            if KEY in record:
                made.losses[record["step"]] = record[KEY]
        return made

    def add(self, step: int, loss: float) -> float | None:
        """Note what was measured after a step; None where it is no number."""
        self.losses[step] = loss if math.isfinite(loss) else None
        return self.losses[step]

    @property
    def best(self) -> tuple[int, float] | None:
        """The first step with the lowest loss, and that loss; None where nothing was measured.

        Only of those whose weights are there.
        """
        measured = [
            (loss, step)
            for step, loss in self.losses.items()
            if loss is not None and step not in self.gone
        ]
        return min(measured)[::-1] if measured else None

    @property
    def is_over(self) -> bool:
        """Whether the last `patience` measurements brought nothing that is better."""
        if self.stopping is None:
            return False
        lowest, without = math.inf, 0
        for loss in self.losses.values():
            if loss is not None and loss < lowest - float(self.stopping.min_delta):
                lowest, without = loss, 0
            else:
                without += 1
        return without >= self.stopping.patience

    def as_dict(self) -> dict[str, Any]:
        """What `train.json` says of it."""
        best = self.best
        return {
            "metric": METRIC,
            "measured": sum(loss is not None for loss in self.losses.values()),
            "not_measured": [step for step, loss in self.losses.items() if loss is None],
            "best": None if best is None else {"step": best[0], "value": best[1]},
        }


@torch.no_grad()
def validation_loss(trainer: StepTrainer, rows: Sequence[EncodedRow], at_once: int) -> float:
    """Mean loss of the items of `rows`, as in training; NaN where there are none.

    Args:
        trainer: Its model, its passes, its loss.
        rows: At least one; `at_once` of them are laid out together.
        at_once: Rows of an optimizer step.
    """
    model: Any = trainer.model
    total, items = 0.0, 0
    was_training = model.training
    model.eval()
    try:
        for start in range(0, len(rows), at_once):
            given = [entry(row) for row in rows[start : start + at_once]]
            items += trainer.items(given)
            batches = trainer.shared(given)
            trainer.before_step(model, batches, given)
            for batch in batches:
                prepared = trainer._prepare_inputs(batch)
                counts = not prepared.pop("idle", False)
                with trainer.compute_loss_context_manager():
                    total += counts * float(trainer.summed_loss(model, prepared))
    finally:
        model.train(was_training)
    total = sum(trainer.crew.heard(total))
    return total / items if items else math.nan


@dataclass
class Watch:
    """Rows to measure on, how often, and what follows from it."""

    rows: Sequence[EncodedRow]
    every: int
    at_once: int
    course: Course
    keeps_best: bool

    def is_due(self, step: int, steps: int) -> bool:
        """Whether the loss is measured after `step` of `steps`."""
        return bool(self.rows) and (step % self.every == 0 or step == steps)

    def measure(self, trainer: StepTrainer, step: int) -> float | None:
        """The loss after a step, which is noted; None where it is no number."""
        return self.course.add(step, validation_loss(trainer, self.rows, self.at_once))

    @property
    def best_step(self) -> int | None:
        """The step whose weights are kept; None where that is the last or nothing was measured."""
        best = self.course.best
        return best[0] if self.keeps_best and best is not None else None


def watch_of(rows: Sequence[EncodedRow], spec: TrainerSettings) -> Watch:
    """What a recipe's `train` block asks for."""
    return Watch(
        rows=rows,
        every=spec.evaluate_every or spec.checkpoint_every,
        at_once=spec.global_batch_size,
        course=Course(spec.early_stopping),
        keeps_best=spec.best_by is not None,
    )
