"""Go on from the newest whole checkpoint, exactly: counts, curve, and a run that was at its end."""

import json
from pathlib import Path
from typing import Any

from foundry.core.errors import Problem, ResourceError
from foundry.core.language import gettext as _
from foundry.train import checkpoint
from foundry.train.inputs import FitInputs
from foundry.train.made_with import check_same
from foundry.train.processes import sharding
from foundry.train.progress import keep_until
from foundry.train.steps import StepTrainer
from foundry.train.validation import Course, Watch


def train_on(inputs: FitInputs, trainer: StepTrainer, watch: Watch) -> None:
    """Train from the newest whole checkpoint of the run, or from the start, to its end.

    Raises:
        ResourceError: There are checkpoints and none can be used.
    """
    path = _newest(inputs, trainer)
    watch.course = Course.of(inputs.run.file("metrics.jsonl"), watch.course.stopping)
    if watch.keeps_best:
        watch.course.gone = _gone(inputs, watch.course)
    if path is None:
        trainer.train()
    elif step_of(path) < inputs.steps and not watch.course.is_over:
        trainer.train(resume_from_checkpoint=str(path))
    else:
        _take_end(trainer, path, inputs.steps)


def take_best(inputs: FitInputs, trainer: Any, watch: Watch) -> int:
    """Give the model the weights of the best step; the step whose weights it has then.

    Raises:
        ResourceError: The checkpoint of that step is damaged or gone.
    """
    last: int = trainer.state.global_step
    if not watch.keeps_best:
        return last
    best = watch.best_step
    if best is None:
        inputs.events.emit("train", "not-measured", step=last)
        return last
    path = checkpoint.place_of(inputs.run.file("checkpoints"), best)
    fault = checkpoint.fault_of(path)
    if fault is not None:
        what = _("the best checkpoint cannot be used: {fault}").format(fault=fault)
        fix = _("remove {folder} to train from the start").format(folder=path.parent)
        raise ResourceError(Problem(str(path), what, fix))
    if best != last:
        checkpoint.check_code(path)
        trainer._load_from_checkpoint(str(path))
    inputs.events.emit("train", "kept", step=best)
    return best


def _gone(inputs: FitInputs, course: Course) -> frozenset[int]:
    """Measured steps whose checkpoint is no longer there, which can be the best no more.

    The best one's is dropped once another is better, and that one may have been damaged since.
    """
    folder = inputs.run.file("checkpoints")
    return frozenset(n for n in course.losses if not checkpoint.place_of(folder, n).is_dir())


def step_of(path: Path) -> int:
    """The optimizer steps that a checkpoint holds, read from its name."""
    return int(path.name.removeprefix("step-"))


def _take_end(trainer: Any, path: Path, steps: int) -> None:
    """Load a run that had done its last step.

    The Trainer (transformers 5.24) looks whether it is at the end only after a step, so that it
    would do one more wherever the end is not that of an epoch.
    """
    from transformers import TrainerState
    from transformers.trainer import TRAINER_STATE_NAME

    trainer._load_from_checkpoint(str(path))
    trainer.create_optimizer_and_scheduler(num_training_steps=steps)
    trainer._load_optimizer_and_scheduler(str(path))
    trainer.state = TrainerState.load_from_json(str(path / TRAINER_STATE_NAME))


def _newest(inputs: FitInputs, trainer: StepTrainer) -> Path | None:
    """The checkpoint to go on from; gives the trainer back its counts."""
    path, skipped = checkpoint.newest_whole(inputs.run.file("checkpoints"))
    for reason in skipped:
        inputs.events.emit("train", "skipped-checkpoint", reason=reason)
    metrics = inputs.run.file("metrics.jsonl")
    if path is None:
        inputs.crew.by_first(lambda: keep_until(metrics, 0))
        return None
    checkpoint.check_code(path)
    sharding.check_readable(path, inputs.crew)
    seen = json.loads((path / "foundry.json").read_text(encoding="utf-8"))
    for changed in check_same(seen["made_with"], path):
        inputs.events.emit("train", "other-machine", key=changed)
    trainer.tokens = seen["tokens"]
    trainer.supervised.update({int(k): n for k, n in seen["supervised"].items()})
    trainer.seen_rows += seen["seen_rows"]
    trainer.seconds_before = seen["seconds"]
    inputs.crew.by_first(lambda: keep_until(metrics, step_of(path)))
    inputs.events.emit(
        "train",
        "resume",
        step=step_of(path),
        tokens=trainer.tokens,
        supervised_tokens=trainer.supervised.total(),
    )
    return path
