"""A training of eight steps with dropout, several passes a step and two epochs, in a second."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from foundry.core.events import Event
from foundry.core.records import TrainResult
from foundry.core.rundir import RunDir
from foundry.train.adapters import lora
from foundry.train.inputs import FitInputs
from foundry.train.trainers import sft
from tests.tiny_run import Setup, fast, open_run

STEPS, EVERY = 8, 2
Listener = Callable[[Event], None]


def opened(folder: Path, path: Path, *listeners: Listener) -> FitInputs:
    """The run at `path`, ready to begin or to go on; two rows in one pass, two passes a step."""
    adapter = lora.Spec(rank=4, alpha=8, dropout=0.1)
    return open_run(Setup(folder, STEPS, 2, adapter, seed=3), path, *listeners)


def fit(inputs: FitInputs, **train: Any) -> TrainResult:
    """Train it; `train` overrides keys of the recipe's `train` block."""
    return sft.fit(inputs, fast(STEPS, **{"checkpoint_every": EVERY, **train}))


def at(event: str, step: int, action: Callable[[], object]) -> Listener:
    """A listener that acts when `event` of `step` is told."""

    def listen(told: Event) -> None:
        if told["event"] == event and told.get("step") == step:
            action()

    return listen


def saved(run: RunDir) -> list[str]:
    """The names of the checkpoints, in order."""
    return sorted(path.name for path in run.file("checkpoints").glob("step-*"))


def rows_of(run: RunDir) -> list[str]:
    """The rows in the order in which the trainer met them, from the last checkpoint."""
    path = run.file("checkpoints", saved(run)[-1], "foundry.json")
    return list(json.loads(path.read_text(encoding="utf-8"))["seen_rows"])
