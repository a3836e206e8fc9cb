"""Tiny preference runs: pairs and marked answers, and a fit of one in a second."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from foundry.core import plugins
from foundry.core.records import Example, TrainResult, Turn
from foundry.models.reward_model import load_reward_model
from foundry.train import fitting
from foundry.train.gives import gives_reward
from foundry.train.inputs import FitInputs
from foundry.train.signals import StopRequest
from foundry.train.steps import entry
from tests.encoders import example
from tests.tiny_run import Setup, open_run

ASKED = (
    ("電風扇多少錢？", "售價三百元。", "不知道。"),
    ("電風扇保固多久？", "保固一年，謝謝。", "很久。"),
    ("電風扇是什麼顏色？", "白色。", "我不清楚這個問題的答案。"),
    ("產地是哪裡？", "產地是台灣，謝謝您的詢問。", "月球。"),
    ("How much is the fan?", "300 dollars.", "Nobody knows."),
    ("How long is the warranty?", "One year, thank you.", "Ask someone else."),
    ("What color is it?", "White.", "It has some color, I am sure of it."),
    ("可以刷卡嗎？", "台灣都行。", "不行。"),
)


def pairs() -> list[Example]:
    """Each question with a better and a worse answer."""
    return [
        replace(example(asked, better, line=line), rejected=Turn("assistant", worse))
        for line, (asked, better, worse) in enumerate(ASKED, start=2)
    ]


def marked() -> list[Example]:
    """Good and bad answers by turns."""
    return [
        replace(example(asked, (worse, better)[line % 2], line=line), label=bool(line % 2))
        for line, (asked, better, worse) in enumerate(ASKED, start=2)
    ]


ROWS = {"dpo": pairs, "orpo": pairs, "kto": marked, "reward": pairs}


def opened(trainer: str, folder: Path, path: Path, *listeners: Any, **setup: Any) -> FitInputs:
    """A run at `path` on the rows that a trainer reads."""
    rows: Sequence[Example] = setup.pop("rows", None) or ROWS[trainer]()
    if gives_reward(trainer):
        setup = {"load": load_reward_model, **setup}
    steps = setup.pop("steps", 4)
    return open_run(Setup(folder, steps, rows=rows, **setup), path, *listeners)


def fit(kind: str, inputs: FitInputs, **train: Any) -> TrainResult:
    """Train it with settings that move a tiny model visibly."""
    trainer = plugins.load("trainer", kind)
    chosen = {"learning_rate": 1e-2, "global_batch_size": 4, "checkpoint_every": 100, **train}
    made: TrainResult = trainer.fit(inputs, trainer.Spec(max_steps=inputs.steps, **chosen))
    return made


def moved(inputs: Any) -> None:
    """The update is no longer nothing, so that every log-ratio and every reward counts."""
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in inputs.model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.2 * torch.randn_like(parameter))


def set_up(kind: str, objective: Any, inputs: Any) -> Any:
    """The trainer of an objective, before its first step."""
    spec = plugins.load("trainer", kind).Spec(max_steps=1, global_batch_size=4, learning_rate=1e-3)
    head, stop = objective.head(inputs), StopRequest()
    return fitting.set_up(inputs, spec, stop, head, objective, half=False)[0]


def step_loss(trainer: Any, rows: Any) -> float:
    """The loss of a step's rows as a step has it, in its micro-batches."""
    entries = [entry(row) for row in rows]
    batches = trainer.micro_batches(entries)
    assert len(batches) > 1
    with torch.no_grad():
        trainer.before_step(trainer.model, batches, entries)
        losses = [
            trainer.compute_loss(trainer.model, b, num_items_in_batch=len(rows)) for b in batches
        ]
    return float(sum(losses))
