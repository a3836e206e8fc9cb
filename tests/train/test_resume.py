"""Stop anywhere and go on: the same rows, losses and weights as without the stop (C66)."""

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from foundry.core.errors import InterruptedRun
from foundry.core.events import Event
from foundry.core.records import TrainResult
from foundry.core.rundir import RunDir
from foundry.train import fitting, resuming
from foundry.train.adapters import lora
from foundry.train.trainers import sft
from tests.encoders import examples
from tests.tiny_run import Setup, adapter_bytes, fast, metrics, open_run

# Ten rows, two a step in micro-batches of one: five steps an epoch, three epochs.
STEPS, EPOCH, STOP = 15, 5, 7
ROWS = examples([(f"第{n}題是什麼？", "甲乙丙丁"[: n % 4 + 1]) for n in range(10)])
Listener = Callable[[Event], None]


class Crash(Exception):
    """The process dies; nobody saves anything."""


def at_step(step: int, action: Callable[[], Any]) -> Listener:
    """A listener that acts when a step was told; a request to stop is granted after the next."""

    def listen(event: Event) -> None:
        if event["event"] == "step" and event["step"] == step:
            action()

    return listen


def kill(number: int) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)


def crash() -> None:
    raise Crash


def train(folder: Path, path: Path, *listeners: Listener, every: int = 100) -> RunDir:
    """Begin or go on with the run at `path`, with dropout and accumulation."""
    fit(folder, path, *listeners, every=every)
    return RunDir(path)


def fit(folder: Path, path: Path, *listeners: Listener, every: int = 100) -> TrainResult:
    """The result of `train`."""
    adapter = lora.Spec(rank=4, alpha=8, dropout=0.1)
    setup = Setup(folder, STEPS, micro_batch_size=1, adapter=adapter, rows=ROWS, seed=3)
    inputs = open_run(setup, path, *listeners)
    return sft.fit(inputs, fast(STEPS, global_batch_size=2, checkpoint_every=every))


def rows_of(run: RunDir) -> list[str]:
    """The rows in the order in which the trainer met them, from the last checkpoint."""
    path = run.file("checkpoints", f"step-{STEPS:06d}", "foundry.json")
    return list(json.loads(path.read_text(encoding="utf-8"))["seen_rows"])


@pytest.fixture(scope="module")
def straight(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """A run that nothing interrupts."""
    return train(tiny_llama, tmp_path_factory.mktemp("straight"))


@pytest.fixture(scope="module")
def resumed(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """A run asked to end in its second epoch, and taken up again."""
    path = tmp_path_factory.mktemp("resumed")
    with pytest.raises(InterruptedRun) as error:
        train(tiny_llama, path, at_step(STOP - 1, kill(signal.SIGTERM)))
    assert error.value.exit_code == 75
    assert len(metrics(RunDir(path))) == STOP
    return train(tiny_llama, path)


@pytest.fixture(scope="module")
def survived(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """A run that died two steps after a checkpoint, and was taken up again."""
    path = tmp_path_factory.mktemp("survived")
    with pytest.raises(Crash):
        train(tiny_llama, path, at_step(STOP + 1, crash), every=6)
    assert len(metrics(RunDir(path))) == STOP + 1
    return train(tiny_llama, path, every=6)


def test_resumed_run_has_the_same_losses(straight: RunDir, resumed: RunDir):  # C66
    assert metrics(resumed) == metrics(straight)
    assert [line["step"] for line in metrics(straight)] == list(range(1, STEPS + 1))


def test_resumed_run_has_the_same_adapter(straight: RunDir, resumed: RunDir):  # C66
    assert adapter_bytes(resumed) == adapter_bytes(straight)


def test_resumed_run_meets_the_same_rows(straight: RunDir, resumed: RunDir):  # C66
    assert rows_of(resumed) == rows_of(straight)


def test_every_epoch_meets_every_row_once(resumed: RunDir):  # C66
    met = rows_of(resumed)
    epochs = [met[n : n + len(ROWS)] for n in range(0, len(met), len(ROWS))]

    assert [sorted(epoch) for epoch in epochs] == [sorted(row.id for row in ROWS)] * 3
    assert epochs[0] != epochs[1]


def test_crashed_run_has_the_same_losses(straight: RunDir, survived: RunDir):  # C65, C66
    assert metrics(survived) == metrics(straight)


def test_crashed_run_has_the_same_adapter(straight: RunDir, survived: RunDir):  # C65, C66
    assert adapter_bytes(survived) == adapter_bytes(straight)


def test_ctrl_c_saves_and_ends_with_130(tiny_llama: Path, tmp_path: Path):
    with pytest.raises(InterruptedRun, match="stopped after step 2 of 15") as error:
        train(tiny_llama, tmp_path, at_step(1, kill(signal.SIGINT)))

    assert error.value.exit_code == 130
    assert [p.name for p in tmp_path.glob("checkpoints/step-*")] == ["step-000002"]
    assert not (tmp_path / "adapter").exists()


def test_run_that_died_after_its_last_step_only_proves(
    straight: RunDir, tiny_llama: Path, tmp_path: Path
):  # C65
    shutil.copytree(straight.path, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "adapter")
    events: list[Event] = []

    run = train(tiny_llama, tmp_path / "run", events.append)

    assert [event["event"] for event in events] == ["layers", "resume"]
    assert adapter_bytes(run) == adapter_bytes(straight)


@pytest.mark.parametrize("step", [STEPS - 1, STEPS])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_during_the_last_step_is_heard(
    straight: RunDir, tiny_llama: Path, tmp_path: Path, step: int, number: int
):  # C66
    with pytest.raises(InterruptedRun, match="stopped after step 15 of 15"):
        train(tiny_llama, tmp_path, at_step(step, kill(number)))
    assert not (tmp_path / "adapter").exists()

    run = train(tiny_llama, tmp_path)

    assert metrics(run) == metrics(straight)
    assert adapter_bytes(run) == adapter_bytes(straight)


def test_signal_while_the_best_weights_are_taken_is_heard(
    straight: RunDir, tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):  # C66
    def under_fire(*arguments: Any) -> int:
        signal.raise_signal(signal.SIGTERM)
        return resuming.take_best(*arguments)

    monkeypatch.setattr(fitting, "take_best", under_fire)

    with pytest.raises(InterruptedRun, match="stopped after step 15 of 15"):
        train(tiny_llama, tmp_path)

    assert not (tmp_path / "adapter").exists()
    monkeypatch.undo()
    assert adapter_bytes(train(tiny_llama, tmp_path)) == adapter_bytes(straight)


SLOW_S = 0.3


@pytest.mark.parametrize("stop", [STOP, STEPS])
def test_seconds_are_those_of_all_starts(tiny_llama: Path, tmp_path: Path, stop: int):
    with pytest.raises(InterruptedRun):
        train(tiny_llama, tmp_path, slow, at_step(stop - 1, kill(signal.SIGTERM)))

    result = fit(tiny_llama, tmp_path, slow)

    assert result.seconds_before >= SLOW_S * stop
    assert result.seconds >= SLOW_S * STEPS


def slow(event: Event) -> None:
    """A listener that takes longer than the step."""
    if event["event"] == "step":
        time.sleep(SLOW_S)


def test_damaged_checkpoint_is_told_and_the_one_before_taken(
    straight: RunDir, survived: RunDir, tiny_llama: Path, tmp_path: Path
):  # C65
    shutil.copytree(survived.path, tmp_path / "run")
    (tmp_path / "run" / "checkpoints" / f"step-{STEPS:06d}" / "optimizer.pt").write_bytes(b"")
    events: list[Event] = []

    run = train(tiny_llama, tmp_path / "run", events.append)

    assert events[1]["reason"] == f"step-{STEPS:06d}: optimizer.pt is damaged"
    assert events[2] == {**events[2], "event": "resume", "step": 12}
    assert metrics(run) == metrics(straight)
