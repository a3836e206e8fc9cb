"""Signals, two runs in one folder, a reader that has gone, a child that crashes."""

import fcntl
import json
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any, TextIO

import pytest

from foundry.cli import main as cli
from foundry.cli.progress import ndjson
from foundry.core import atomic, processes
from foundry.core.errors import DataError, InterruptedRun, LockedError, Terminated
from foundry.core.events import Event, Events, Listener, as_line
from foundry.core.records import Turn
from foundry.core.rundir import OWNER, RunDir
from foundry.encode import render
from foundry.encode.render import _Process, _too_slow, render_many
from foundry.train import checkpoint, fitting
from foundry.train.progress import Progress
from foundry.train.signals import StopRequest
from tests.cases import change
from tests.faults import training
from tests.faults.table import ended, fault
from tests.tiny_recipe import TinyRecipe

commit = checkpoint.commit


def send(number: int) -> Callable[[], None]:
    return lambda: signal.raise_signal(number)


@fault("5", {"nobody grants it": change(Progress, "on_step_end", lambda *_, **__: None)})
def test_sigterm_saves_and_ends_with_75(tiny_llama: Path, tmp_path: Path):
    path = tmp_path / os.urandom(4).hex()
    inputs = training.opened(tiny_llama, path, training.at("step", 3, send(signal.SIGTERM)))

    told = ended(lambda: training.fit(inputs, checkpoint_every=100))

    assert isinstance(told, InterruptedRun) and told.exit_code == 75, repr(told)
    assert training.saved(inputs.run) == ["step-000004"]
    assert not inputs.run.file("adapter").exists()
    assert inputs.run.stamp("train") is None


@fault("6", {"nobody grants it": change(Progress, "on_step_end", lambda *_, **__: None)})
def test_ctrl_c_saves_and_ends_with_130(tiny_llama: Path, tmp_path: Path):
    path = tmp_path / os.urandom(4).hex()
    inputs = training.opened(tiny_llama, path, training.at("step", 3, send(signal.SIGINT)))

    told = ended(lambda: training.fit(inputs, checkpoint_every=100))

    assert isinstance(told, InterruptedRun) and told.exit_code == 130, repr(told)
    assert training.saved(inputs.run) == ["step-000004"]


@contextmanager
def patient(_heard: object = None) -> Iterator[StopRequest]:
    """The second Ctrl-C is one more request."""
    request = StopRequest()

    def note(number: int, _frame: object) -> None:
        request.signal_number = number

    before = {n: signal.signal(n, note) for n in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def twice() -> None:
    signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGINT)


@fault("6", {"it waits": change(fitting, "stop_on_signals", patient)})
def test_second_ctrl_c_ends_at_once(tiny_llama: Path, tmp_path: Path):
    path = tmp_path / os.urandom(4).hex()
    inputs = training.opened(tiny_llama, path, training.at("step", 3, twice))

    told = ended(lambda: training.fit(inputs, checkpoint_every=100))

    assert isinstance(told, KeyboardInterrupt), repr(told)
    assert training.saved(inputs.run) == []


@contextmanager
def impatient(_heard: object = None) -> Iterator[StopRequest]:
    """The signal ends whatever is being done."""

    def end(_number: int, _frame: object) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield StopRequest()
    finally:
        signal.signal(signal.SIGTERM, before)


@fault("7", {"it ends at once": change(fitting, "stop_on_signals", impatient)})
def test_sigterm_while_saving_lets_the_save_be_done_first(
    tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def commit_under_fire(*args: Any, **options: Any) -> Path:
        signal.raise_signal(signal.SIGTERM)
        return commit(*args, **options)

    monkeypatch.setattr(checkpoint, "commit", commit_under_fire)
    inputs = training.opened(tiny_llama, tmp_path / os.urandom(4).hex())

    told = ended(lambda: training.fit(inputs))

    assert isinstance(told, InterruptedRun), repr(told)
    folder = inputs.run.file("checkpoints")
    newest, skipped = checkpoint.newest_whole(folder)
    assert (newest, skipped) == (folder / "step-000003", [])


HOLD = """
import sys, time
from pathlib import Path
from foundry.core.rundir import RunDir
with RunDir(Path(sys.argv[1])).locked():
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def held(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """A run directory that another process works in, and that process."""
    path = tmp_path / "run"
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        yield path, process.pid
        process.kill()


def take(path: Path) -> None:
    with RunDir(path).locked():
        pass


@contextmanager
def unlocked(_run: RunDir) -> Iterator[None]:
    yield


@fault("20", {"there is no lock": change(RunDir, "locked", unlocked)})
def test_second_run_in_a_directory_names_the_first(held: tuple[Path, int]):
    path, pid = held

    told = ended(lambda: take(path))

    assert isinstance(told, LockedError) and told.exit_code == 73, repr(told)
    assert f"process {pid} on {platform.node()}" in str(told)


@pytest.fixture
def orphaned(held: tuple[Path, int]) -> Path:
    """A lock that a child still holds whose owner has ended; its id is another process's now."""
    path, _pid = held
    owner = {**processes.this(), "started": "an earlier boot:1"}
    (path / OWNER).write_text(json.dumps(owner), encoding="utf-8")
    return path


@fault("20", {"a lock is a lock": change(processes, "is_gone", lambda _noted: False)})
def test_lock_of_an_owner_that_has_ended_is_broken(orphaned: Path):
    assert ended(lambda: take(orphaned)) is None


TAKE = """
import sys
from contextlib import nullcontext
from pathlib import Path
from foundry.core import rundir
from foundry.core.errors import LockedError
rundir.GATE_SECONDS = 0.5
if "no-gate" in sys.argv:
    rundir.RunDir._at_the_gate = lambda _self: nullcontext()
try:
    with rundir.RunDir(Path(sys.argv[1])).locked():
        print("held")
except LockedError:
    print("refused")
"""


def taken_by_another(path: Path, *arguments: str) -> str:
    """What another process says that takes a run directory."""
    command = [sys.executable, "-c", TAKE, str(path), *arguments]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


@pytest.mark.parametrize(("arguments", "said"), [((), "refused"), (("no-gate",), "held")])
def test_lock_of_an_owner_that_has_not_said_who_it_is_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str
):
    path, write = tmp_path / "run", atomic.write_json
    path.mkdir()
    write(path / OWNER, {**processes.this(), "started": "an earlier boot:1"})
    heard = []

    def first_another(*args: Any) -> None:
        heard.append(taken_by_another(path, *arguments))
        write(*args)

    monkeypatch.setattr(atomic, "write_json", first_another)
    take(path)

    assert heard == [said]


def test_owner_lives_unless_it_certainly_ended():
    this = processes.this()
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()

    assert not processes.is_gone(this)
    assert not processes.is_gone({**this, "host": "elsewhere", "pid": process.pid})
    assert not processes.is_gone({})
    assert processes.is_gone({**this, "pid": process.pid})
    assert processes.is_gone({**this, "started": "an earlier boot:1"})


@contextmanager
def pipe(*, reader: bool) -> Iterator[TextIO]:
    """The writing end of a pipe that nobody reads; without a reader, whose reader has gone."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    if not reader:
        os.close(reading)
    stdout = os.fdopen(writing, "w", encoding="utf-8")
    try:
        yield stdout
    finally:
        if reader:
            os.close(reading)
        with suppress(OSError):
            stdout.close()


def fragile() -> Listener:
    """Writes each event itself, whatever becomes of it."""
    stdout = sys.stdout

    def write(event: Event) -> None:
        stdout.write(as_line(event) + "\n")
        stdout.flush()

    return write


@fault("25", {"the error ends the run": change(cli, "ndjson", fragile)})
def test_run_whose_reader_has_gone_goes_on_to_its_own_end(recipe: TinyRecipe):
    runs = recipe.folder / os.urandom(4).hex()
    with pipe(reader=False) as stdout, redirect_stdout(stdout):
        arguments = recipe.arguments("--until", "plan", "--events", "--runs", str(runs))
        codes = []
        told = ended(lambda: codes.append(cli.main(arguments)))

    assert (codes, told) == ([0], None)
    assert len(list(runs.glob("*/stamps/plan.json"))) == 1


def told_all(count: int) -> bool:
    """Whether so many events are told within three seconds to a reader that does not read."""
    with pipe(reader=True) as stdout:
        with redirect_stdout(stdout):
            events = Events([ndjson.ndjson()])
        tell = [partial(events.emit, "train", "step", step=n) for n in range(count)]
        thread = Thread(target=lambda: [ended(one) for one in tell], daemon=True)
        thread.start()
        thread.join(3)
        return not thread.is_alive()


@fault("25", {"it waits for the reader": change(ndjson, "ndjson", fragile)})
def test_run_whose_reader_does_not_read_goes_on():
    assert told_all(1000)


CRASH = (sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")


@fault("30", {"every end is one of memory": change(_Process, "_end", lambda self: _too_slow())})
@pytest.mark.parametrize("said", ["好", "好" * 500_000], ids=["short", "more than a pipe holds"])
def test_child_that_crashes_is_told_by_its_signal(said: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(render, "COMMAND", CRASH)
    process = _Process()
    monkeypatch.setattr(render, "_process", lambda: process)
    try:
        job = render.Job([Turn("user", said)], [(1, True)], ())
        told = ended(lambda: render_many([job], render.Template("{{ messages }}", "", "")))
    finally:
        process.stop()

    assert isinstance(told, DataError) and "ended by SIGSEGV" in str(told), repr(told)
