"""A disk that is full, small, read-only or broken: one line, and nothing half done (C68)."""

import errno
import os
import resource
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from foundry.core import atomic
from foundry.core.errors import ResourceError
from foundry.core.events import Event
from foundry.core.rundir import RunDir
from foundry.planning import plan, shortage
from foundry.train import checkpoint
from tests.cases import case, change
from tests.faults import small, training
from tests.faults.disks import fill, mounted, small_disk
from tests.faults.table import ended, fault
from tests.tiny_recipe import TinyRecipe
from tests.tiny_run import adapter_bytes

MIB = 1 << 20


@contextmanager
def full_disk(run: Path):
    """A small disk that is full when the block's function is called, and free again after it."""
    with small_disk(run, 64 * MIB):
        yield lambda: fill(run, leave_bytes=40_000), lambda: (run / "filler").unlink()


@contextmanager
def short_files(run: Path):
    """No file of this process may grow beyond 20 kB, from the call of the block's function on."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def free() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    try:
        yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1])), free
    finally:
        free()


def left_lying(folder: Path, needed_bytes: int) -> Any:
    """The guard without its broom."""

    @contextmanager
    def block():
        try:
            yield
        except Exception as error:
            raise checkpoint.disk_full(folder, "No space left on device", needed_bytes) from error

    return block()


Shortage = Callable[[Path], AbstractContextManager[Any]]


@fault(
    "9",
    {
        "nobody knows the error": change(checkpoint, "disk_says", lambda _error: None),
        "what was written stays": change(checkpoint, "whole_or_not", left_lying),
    },
)
@pytest.mark.parametrize("lack", [full_disk, short_files])
def test_full_disk_at_a_checkpoint_is_told_and_what_was_whole_stays(
    tiny_llama: Path, straight: RunDir, tmp_path: Path, lack: Shortage
):  # C68
    path = tmp_path / os.urandom(4).hex()
    with lack(path) as (begin, end):
        inputs = training.opened(tiny_llama, path, training.at("step", 5, begin))
        told = ended(lambda: training.fit(inputs))
        left = [p.name for p in inputs.run.file("checkpoints").iterdir()]
        end()

        assert isinstance(told, ResourceError) and told.exit_code == 3, repr(told)
        (problem,) = told.problems
        assert problem.where == str(inputs.run.file("checkpoints"))
        assert "are needed" in problem.what and "are free" in problem.what
        assert len(str(told).splitlines()) == 2  # the line and its fix
        assert sorted(left) == ["step-000002", "step-000004"]
        training.fit(training.opened(tiny_llama, path))
        assert adapter_bytes(inputs.run) == adapter_bytes(straight)


@fault("9", {"nobody knows the error": change(shortage, "disk_says", lambda _error: None)})
def test_full_disk_that_safetensors_meets_is_told(tmp_path: Path):  # C68
    path = tmp_path / os.urandom(4).hex()
    with small_disk(path, 4 * MIB):
        fill(path, leave_bytes=100_000)

        def save() -> None:
            with shortage.told("export", Any, RunDir(path)):
                save_file({"weight": torch.zeros(100_000)}, path / "model.safetensors")

        told = ended(save)

    assert isinstance(told, ResourceError) and told.exit_code == 3, repr(told)
    assert "No space left on device" in str(told) and str(path) in str(told)


@fault("10", {"nobody looks": change(checkpoint, "check_room", lambda *_args, **_keep: None)})
def test_disk_too_small_for_the_checkpoints_is_refused_before_the_first_step(
    tiny_llama: Path, tmp_path: Path
):  # C68
    path, events = tmp_path / os.urandom(4).hex(), list[Event]()
    with small_disk(path, 4 * MIB):
        fill(path, leave_bytes=100_000)
        inputs = training.opened(tiny_llama, path, events.append)

        told = ended(lambda: training.fit(inputs))

        assert isinstance(told, ResourceError) and "3 checkpoints need" in str(told), repr(told)
        assert [event for event in events if event["event"] == "step"] == []


@case("C68", {"nobody looks": change(checkpoint, "check_room", lambda *_args, **_keep: None)})
def test_disk_of_20_mb_without_room_for_a_checkpoint_is_refused_before_the_first_step(
    tiny_llama: Path, tmp_path: Path
):
    path, events = tmp_path / os.urandom(4).hex(), list[Event]()
    with small_disk(path, 20 * MIB):
        fill(path, leave_bytes=100_000)
        inputs = training.opened(tiny_llama, path, events.append)

        told = ended(lambda: training.fit(inputs, keep_checkpoints=2))

        assert isinstance(told, ResourceError) and told.exit_code == 3, repr(told)
        assert "3 checkpoints need" in str(told) and "are free" in str(told)
        assert [event for event in events if event["event"] == "step"] == []


@fault("10", {"nobody looks": change(plan, "_check_disk", lambda *_: None)})
def test_disk_too_small_for_the_run_is_refused_by_the_plan(recipe: TinyRecipe):
    runs = recipe.folder / os.urandom(4).hex()
    with small_disk(runs, 200_000):
        outcome = small.told(recipe, "--until", "plan", "--runs", str(runs))
        made = list(runs.iterdir())

    assert outcome.code == 3, outcome
    assert "on disk" in outcome.out and made == []


@contextmanager
def read_only(runs: Path):
    runs.mkdir()
    with mounted(runs, "--bind", str(runs)):
        subprocess.run(["mount", "-o", "remount,ro,bind", str(runs)], check=True)
        yield


@contextmanager
def a_file(runs: Path):
    runs.write_text("", encoding="utf-8")
    yield


@fault("21", {"nobody looks": change(plan, "refused_folder", lambda _path: None)})
@pytest.mark.parametrize("refusing", [a_file, read_only])
def test_folder_that_cannot_be_written_is_refused_by_the_plan(
    recipe: TinyRecipe, refusing: Shortage
):
    runs = recipe.folder / os.urandom(4).hex()
    with refusing(runs):
        outcome = small.told(recipe, "--until", "plan", "--runs", str(runs))

    assert (outcome.code, outcome.document["error"]) == (3, "resource"), outcome
    problem = outcome.document["problems"][0]
    assert str(runs) in problem["where"]
    assert "`--runs`" in problem["fix"]  # the plan's words, before anything was tried


def broken(_descriptor: int) -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


@fault("31", {"nothing is flushed": change(atomic, "sync", lambda _path: None)})
def test_flush_that_fails_commits_nothing(tmp_path: Path):
    path, folder = tmp_path / "file", tmp_path / "folder"
    path.write_text("old", encoding="utf-8")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", broken)
        told = [ended(lambda: atomic.write_text(path, "new"))]
        with atomic.temporary_folder(tmp_path / "written") as written:
            (written / "optimizer.pt").write_bytes(b"moments")
            told.append(ended(lambda: checkpoint.commit(written, folder, 2, keep=1)))

    assert [getattr(error, "errno", None) for error in told] == [errno.EIO] * 2
    assert path.read_text(encoding="utf-8") == "old"
    assert checkpoint.newest_whole(folder) == (None, [])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file"]


def short(path: Path, line: str, *, durable: bool = False) -> None:
    """Writes what it can and does not look how much that was."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(descriptor, line.encode())
    except OSError:
        pass
    finally:
        os.close(descriptor)


@fault("31", {"the count is not looked at": change(atomic, "add_line", short)})
def test_device_that_takes_nothing_is_an_error():
    told = ended(lambda: atomic.add_line(Path("/dev/full"), "a line"))

    assert isinstance(told, OSError) and told.errno == errno.ENOSPC
