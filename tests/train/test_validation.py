"""The loss on validation rows: what is measured, what is kept, when a training ends."""

import math
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from foundry.core.errors import InterruptedRun, ResourceError
from foundry.core.events import Event
from foundry.core.records import TrainResult
from foundry.core.rundir import RunDir
from foundry.encode.tokenize import IGNORED
from foundry.train import checkpoint, validation
from foundry.train.adapters import full
from foundry.train.inputs import FitInputs
from foundry.train.settings import BestBy, EarlyStopping
from foundry.train.trainers import sft
from foundry.train.validation import Course
from tests.cases import change
from tests.faults import training
from tests.faults.table import ended, fault
from tests.tiny_run import Setup, adapter_bytes, fast, metrics, open_run

BEST = {"best_by": BestBy(metric="validation-loss"), "keep_checkpoints": 1, "evaluate_every": 1}
measure = validation.validation_loss


def opened(folder: Path, path: Path, *listeners: Callable[[Event], None]) -> FitInputs:
    """Two of the eight rows are not learned but measured on."""
    inputs = training.opened(folder, path, *listeners)
    return replace(inputs, rows=inputs.rows[2:], validation=inputs.rows[:2])


def said(values: list[float]) -> Callable[..., float]:
    """In place of the measurement: these losses, one after the other."""
    losses = iter(values)
    return lambda *_: next(losses)


@pytest.fixture
def fit(tiny_llama: Path, tmp_path: Path) -> Callable[..., tuple[RunDir, TrainResult]]:
    def run(losses: list[float] | None = None, **train: Any) -> tuple[RunDir, TrainResult]:
        inputs = opened(tiny_llama, tmp_path / os.urandom(4).hex())
        with pytest.MonkeyPatch.context() as patch:
            if losses is not None:
                patch.setattr(validation, "validation_loss", said(losses))
            return inputs.run, training.fit(inputs, **{**BEST, **train})

    return run


def test_loss_is_that_of_the_model_without_dropout_by_hand(tiny_llama: Path, tmp_path: Path):
    seen: list[tuple[float, float]] = []

    def compare(trainer: Any, rows: Any, at_once: int) -> float:
        model, total, items = trainer.model, 0.0, 0
        model.eval()
        for row in rows:
            logits_TV = model(input_ids=torch.tensor([row.input_ids])).logits[0].float()
            for place, label in enumerate(row.labels[1:]):
                if label != IGNORED:
                    total -= float(logits_TV[place].log_softmax(-1)[label].detach())
                    items += 1
        model.train()
        seen.append((total / items, measure(trainer, rows, at_once)))
        return seen[-1][1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(validation, "validation_loss", compare)
        training.fit(opened(tiny_llama, tmp_path / "run"), evaluate_every=4)

    assert len(seen) == 2
    assert all(math.isclose(by_hand, ours, rel_tol=1e-5) for by_hand, ours in seen)


def test_measuring_changes_nothing_of_the_training(tiny_llama: Path, tmp_path: Path):
    with_it, without = opened(tiny_llama, tmp_path / "a"), opened(tiny_llama, tmp_path / "b")

    training.fit(with_it, evaluate_every=1)
    training.fit(replace(without, validation=()))

    assert adapter_bytes(with_it.run) == adapter_bytes(without.run)
    curve = [line["eval_loss"] for line in metrics(with_it.run)]
    assert len(curve) == training.STEPS and all(map(math.isfinite, curve))


def trained_weights(run: RunDir, folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return dict(load_file(run.path / folder / "adapter_model.safetensors"))


UP = [3.0, 2.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]


def test_weights_of_the_best_step_are_kept_though_only_one_checkpoint_is(fit):
    run, result = fit(UP)

    assert training.saved(run) == ["step-000003", "step-000008"]
    kept = trained_weights(run, Path("adapter"))
    best = trained_weights(run, Path("checkpoints/step-000003"))
    last = trained_weights(run, Path("checkpoints/step-000008"))
    assert all(torch.equal(kept[name], best[name]) for name in kept)
    assert not all(torch.equal(kept[name], last[name]) for name in kept)
    assert result.validation == {
        "metric": "validation-loss",
        "measured": 8,
        "not_measured": [],
        "best": {"step": 3, "value": 1.0},
        "kept_step": 3,
        "stopped_early": False,
    }


def test_room_is_asked_for_as_many_checkpoints_as_lie_there(fit, monkeypatch):
    asked, there = list[int](), list[int]()
    look, drop = checkpoint.check_room, checkpoint.drop_old

    def looking(folder: Path, needed_bytes: int, *, keep: int) -> None:
        asked.append(keep + 1)
        look(folder, needed_bytes, keep=keep)

    def dropping(folder: Path, *, keep: int, best: int | None = None) -> None:
        there.append(len(checkpoint.committed(folder)))
        drop(folder, keep=keep, best=best)

    monkeypatch.setattr(checkpoint, "check_room", looking)
    monkeypatch.setattr(checkpoint, "drop_old", dropping)

    fit(UP, checkpoint_every=1)

    assert asked == [max(there)] == [3]


@pytest.mark.parametrize("last", [None, 1])
def test_checkpoint_of_a_model_is_as_large_as_room_is_asked_for(
    tiny_llama: Path, tmp_path: Path, last: int | None
):
    setup = Setup(tiny_llama, 2, adapter=full.Spec(last_layers=last), method=full)
    inputs = open_run(setup, tmp_path)
    sft.fit(inputs, fast(2))

    folder = inputs.run.file("checkpoints", "step-000002")
    tensors = [folder / "model.safetensors", folder / "optimizer.pt"]

    held = sum(path.stat().st_size for path in tensors)
    assert held == pytest.approx(checkpoint.size_bytes(inputs.model), rel=0.05)


def isfinite_but(course: Course, step: int, loss: float) -> float:
    """A comparison with what is no number is false, and `min` then takes it."""
    course.losses[step] = -1e9 if math.isnan(loss) else loss
    return loss if math.isfinite(loss) else 0.0


@fault("19", {"no number is the lowest": change(Course, "add", isfinite_but)})
def test_loss_that_is_no_number_is_never_the_best(fit):
    nan = float("nan")

    run, result = fit([3.0, nan, 2.0, nan, float("inf"), 4.0, 5.0, nan])

    assert result.validation["best"] == {"step": 3, "value": 2.0}
    assert result.validation["kept_step"] == 3
    assert result.validation["not_measured"] == [2, 4, 5, 8]
    assert metrics(run)[1]["eval_loss"] is None


def test_nothing_measured_is_said_and_the_last_step_kept(tiny_llama: Path, tmp_path: Path):
    events: list[Event] = []
    inputs = opened(tiny_llama, tmp_path / "run", events.append)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(validation, "validation_loss", said([float("nan")] * 8))
        result = training.fit(inputs, **BEST)

    assert [event["step"] for event in events if event["event"] == "not-measured"] == [8]
    assert (result.validation["best"], result.validation["kept_step"]) == (None, 8)


def test_training_stops_where_the_loss_no_longer_falls(fit):
    stopping = EarlyStopping(patience=2, min_delta=0.5)

    run, result = fit([3.0, 2.0, 1.9, 1.8, 1.0, 1.0, 1.0, 1.0], early_stopping=stopping)

    assert result.steps == 4
    assert result.validation["stopped_early"] is True
    assert result.validation["best"] == {"step": 4, "value": 1.8}
    assert len(metrics(run)) == 4


def stop_at(step: int) -> Callable[[Event], None]:
    import signal

    return training.at("step", step, lambda: signal.raise_signal(signal.SIGTERM))


def test_resumed_training_remembers_what_was_the_best(tiny_llama: Path, tmp_path: Path):
    path = tmp_path / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(validation, "validation_loss", said(UP))
        begun = opened(tiny_llama, path, stop_at(4))
        assert isinstance(ended(lambda: training.fit(begun, **BEST)), InterruptedRun)
        result = training.fit(opened(tiny_llama, path), **BEST)

    assert result.validation["kept_step"] == 3
    assert training.saved(begun.run) == ["step-000003", "step-000008"]


def test_training_that_had_stopped_early_is_not_gone_on_with(tiny_llama: Path, tmp_path: Path):
    stopping = EarlyStopping(patience=1)
    path, events = tmp_path / "run", list[Event]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(validation, "validation_loss", said([3.0, 2.0, 1.0, 2.0]))
        training.fit(opened(tiny_llama, path), **BEST, early_stopping=stopping)
        shutil.rmtree(path / "adapter")
        result = training.fit(
            opened(tiny_llama, path, events.append), **BEST, early_stopping=stopping
        )

    assert (result.steps, result.validation["kept_step"]) == (4, 3)
    assert [event for event in events if event["event"] == "step"] == []


def test_best_checkpoint_that_is_damaged_is_told(tiny_llama: Path, tmp_path: Path):
    path = tmp_path / "run"

    def damage() -> None:
        (path / "checkpoints" / "step-000003" / "optimizer.pt").unlink()

    inputs = opened(tiny_llama, path, training.at("checkpoint", 8, damage))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(validation, "validation_loss", said(UP))
        told = ended(lambda: training.fit(inputs, **BEST))

    assert isinstance(told, ResourceError), repr(told)
    assert "the best checkpoint cannot be used: optimizer.pt is missing" in str(told)
    assert checkpoint.newest_whole(path / "checkpoints")[0] is not None


def test_best_step_whose_checkpoint_is_gone_is_the_best_no_more():
    course = Course(losses={20: 1.0, 40: 2.0, 60: 0.5})

    assert course.best == (60, 0.5)
    course.gone = frozenset({20, 60})
    assert course.best == (40, 2.0)
    course.add(80, 1.5)
    assert course.best == (80, 1.5)


def test_run_that_goes_on_from_before_a_damaged_best_step_keeps_one_that_is_there(
    tiny_llama: Path, tmp_path: Path
):
    """Step 3 was the best and dropped for step 4, which is damaged; the rest is worse than 3."""
    path, losses = tmp_path / "run", [3.0, 2.5, 1.0, 0.5]
    keep = {**BEST, "keep_checkpoints": 2, "checkpoint_every": 2}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(validation, "validation_loss", said([*losses, *[9.0] * 8]))
        begun = opened(tiny_llama, path, stop_at(4))
        assert isinstance(ended(lambda: training.fit(begun, **keep)), InterruptedRun)
        names = training.saved(begun.run)
        (path / "checkpoints" / names[-1] / "optimizer.pt").unlink()
        result = training.fit(opened(tiny_llama, path), **keep)

    assert f"step-{result.validation['kept_step']:06d}" in training.saved(begun.run)
