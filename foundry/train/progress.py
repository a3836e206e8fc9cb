"""The only bridge from the Trainer's callbacks to us: progress, checkpoints, stops, finiteness."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback

from foundry.core import atomic
from foundry.core.errors import DataError
from foundry.core.faults import fault_point
from foundry.core.language import gettext as _
from foundry.train import checkpoint
from foundry.train.inputs import FitInputs
from foundry.train.made_with import made_with
from foundry.train.pace import Pace
from foundry.train.processes.crew import own_part
from foundry.train.signals import StopRequest
from foundry.train.steps import StepTrainer, non_finite
from foundry.train.validation import KEY, Watch

# Of a line of `metrics.jsonl`, what every trainer records.
RECORDED = ("step", "of", "loss", "grad_norm", "learning_rate", "tokens", "supervised_tokens", KEY)


class Progress(TrainerCallback):
    """Writes `metrics.jsonl` and events, commits checkpoints, grants a request to stop."""

    def __init__(self, inputs: FitInputs, stop: StopRequest, watch: Watch, *, keep: int) -> None:
        self.inputs = inputs
        self.watch = watch
        self.stop = stop
        self.keep = keep
        self.metrics = inputs.run.file("metrics.jsonl")
        self.trainer: StepTrainer | None = None
        self.pace = Pace()

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Stop at the first gradient that is not finite."""
        if not self._trainer.gradients_are_finite():
            rows = self._trainer.step_rows
            raise DataError(non_finite(_("gradient"), state.global_step + 1, rows))

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, Any], **kwargs: Any
    ) -> None:
        """Record the step that ends; the Trainer logs each one before it saves.

        `grad_norm` is the length of the gradient before it was clipped.
        """
        if "loss" not in logs:
            return
        trainer = self._trainer
        record = {
            "step": state.global_step,
            "of": state.max_steps,
            "loss": trainer.end_step(float(logs["loss"])),
            "grad_norm": float(logs["grad_norm"]),
            "learning_rate": float(logs["learning_rate"]),
            "tokens": trainer.tokens,
            "supervised_tokens": trainer.supervised.total(),
            **trainer.step_metrics(),
        }
        if self.watch.is_due(state.global_step, state.max_steps):
            record[KEY] = self._measure(state.global_step, control)
        if self.inputs.crew.is_first:
            atomic.append_line(self.metrics, json.dumps(record))
        pace = self.pace.left(state.max_steps - state.global_step)
        self.inputs.events.emit("train", "step", **record, **pace)

    def _measure(self, step: int, control: Any) -> float | None:
        """Measure the validation loss; save a step that is the best, stop where none will be."""
        loss = self.watch.measure(self._trainer, step)
        is_best = self.watch.best_step == step
        is_over = self.watch.course.is_over
        if is_best or is_over:
            control.should_save = True
        if is_over:
            control.should_training_stop = True
        told = {"loss": loss, "is_best": is_best, "stops": is_over}
        self.inputs.events.emit("train", "validation", step=step, **told)
        return loss

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Time the step."""
        self.pace.begin(self._trainer.tokens)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """When one process is asked to stop, all save first."""
        self.pace.end(self._trainer.tokens)
        self.stop.agree(self.inputs.crew)
        if self.stop.signal_number is not None:
            control.should_save = True
            control.should_training_stop = True

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Hash what the Trainer wrote and rename it into place."""
        self._refuse_non_finite(kwargs["model"], state.global_step)
        self.inputs.crew.by_first(partial(self._commit, args, state))

    def _commit(self, args: Any, state: Any) -> None:
        fault_point("checkpoint-state")
        written = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        checkpoint.check_complete(written)
        seen = {
            "tokens": self._trainer.tokens,
            "supervised": {str(k): n for k, n in self._trainer.supervised.items()},
            "seen_rows": self._trainer.seen_rows,
            "seconds": round(self._trainer.seconds, 3),
            "made_with": made_with(),
        }
        atomic.write_json(written / "foundry.json", seen)
        folder = self.inputs.run.file("checkpoints")
        step, best = state.global_step, self.watch.best_step
        checkpoint.commit(written, folder, step, keep=self.keep, best=best)
        self.inputs.events.emit("train", "checkpoint", step=state.global_step)

    def _refuse_non_finite(self, model: Any, step: int) -> None:
        """Keep the last checkpoint with finite numbers as the newest: an update may overflow."""
        trained = [p for p in model.parameters() if p.requires_grad]
        if not all(bool(torch.isfinite(own_part(p)).all()) for p in trained):
            raise DataError(non_finite(_("update"), step, self._trainer.last_rows))

    @property
    def _trainer(self) -> StepTrainer:
        if self.trainer is None:
            raise RuntimeError("Progress.trainer is set before training starts")
        return self.trainer


def keep_until(metrics: Path, step: int) -> None:
    """Cut `metrics.jsonl` back to the steps that a checkpoint holds."""
    if metrics.exists():
        lines = metrics.read_bytes()[: atomic.whole_lines(metrics)].decode().splitlines()
        kept = [line for line in lines if json.loads(line)["step"] <= step]
        atomic.write_text(metrics, "".join(line + "\n" for line in kept))
