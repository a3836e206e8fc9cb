"""A run directory: the whole evidence of one run, with a lock and a stamp per stage.

A stage's stamp says from which inputs (a fingerprint) it made which files (hashes). A stage is
skipped when its stamp fits the inputs and every file still has its hash, so resume is one
mechanism everywhere.
"""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from foundry.core import atomic, network, processes
from foundry.core.environment import country, peak_memory_bytes
from foundry.core.errors import LockedError, Problem, RecipeError
from foundry.core.faults import fault_point
from foundry.core.language import gettext as _
from foundry.core.moment import utc

OWNER = ".owner"
# Held for the moment in which the lock changes hands, so that it and its owner change together.
GATE, GATE_SECONDS = ".gate", 10.0
STAGES = ("plan", "data", "encode", "train", "export", "evaluate", "package")


def stages_until(last: str) -> tuple[str, ...]:
    """The stages up to and including `last`.

    Raises:
        RecipeError: There is no such stage; names those that there are.
    """
    if last not in STAGES:
        what = _("unknown stage `{stage}`; there are: {stages}")
        what = what.format(stage=last, stages=", ".join(STAGES))
        raise RecipeError(Problem("--until", what, f"--until {STAGES[1]}"))
    return STAGES[: STAGES.index(last) + 1]


@dataclass(frozen=True)
class RunDir:
    """The folder of one run."""

    path: Path

    def file(self, *parts: str) -> Path:
        """A path inside the run directory."""
        return self.path.joinpath(*parts)

    def relative(self, path: Path) -> str:
        """`path` as the records name it: relative, with forward slashes."""
        return path.relative_to(self.path).as_posix()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run for this process.

        The lock is the system's, so it is gone with its process, whatever ended it. Where a child
        process keeps it open, or a network disk keeps it for a host that is gone, the owner's
        process id and start time say whether it still lives; a dead owner's lock is broken.

        Raises:
            LockedError: Another process holds it; names its process id and host.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with ExitStack() as held:
            with self._at_the_gate():
                held.callback(self._acquired().release)
                held.callback(self.file(OWNER).unlink, missing_ok=True)
                atomic.write_json(self.file(OWNER), processes.this())
            fault_point("lock-held")
            yield

    def holder(self) -> str | None:
        """The process that holds the run, by its id; None where nobody does.

        Asks for the lock itself, since a process that was killed leaves its id behind.
        """
        if not self.file(OWNER).is_file():
            return None
        lock = FileLock(self.file(".lock"), timeout=0)
        try:
            with self._at_the_gate():
                lock.acquire()
                lock.release()
        except (Timeout, LockedError):
            return str((self._owner() or {}).get("pid", "?"))
        except OSError:  # a folder that cannot be written to is no one's work
            return None
        return None

    @contextmanager
    def _at_the_gate(self) -> Iterator[None]:
        """Alone in asking who holds the run and in changing it.

        Raises:
            LockedError: Others did not come through in time.
        """
        gate = FileLock(self.file(GATE), timeout=GATE_SECONDS)
        try:
            gate.acquire()
        except Timeout as error:
            raise LockedError(self._held(self._owner() or {})) from error
        try:
            yield
        finally:
            gate.release()

    def _acquired(self) -> FileLock:
        path = self.file(".lock")
        lock = FileLock(path, timeout=0)
        try:
            lock.acquire()
        except Timeout as error:
            owner = self._owner()
            if owner is None or not processes.is_gone(owner):
                raise LockedError(self._held(owner or {})) from error
            path.unlink(missing_ok=True)  # the dead owner's lock stays on the file without a name
            try:
                lock.acquire()
            except Timeout as another:  # a third process was quicker
                raise LockedError(self._held(self._owner() or {})) from another
        return lock

    def _owner(self) -> dict[str, Any] | None:
        try:
            owner = json.loads(self.file(OWNER).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return owner if isinstance(owner, dict) else None

    def _held(self, owner: Mapping[str, Any]) -> Problem:
        what = _("another process works in this run directory (process {pid} on {host})")
        pid = owner.get("pid", "?")
        return Problem(
            str(self.path),
            what.format(pid=pid, host=owner.get("host", "?")),
            _("wait for it to end, or stop it with `kill {pid}`").format(pid=pid),
        )

    def stamp(self, stage: str) -> dict[str, Any] | None:
        """The stamp of a finished stage as written, or None."""
        path = self.file("stamps", f"{stage}.json")
        if not path.exists():
            return None
        try:
            stamp = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            return None
        return stamp if isinstance(stamp, dict) else None

    def is_done(self, stage: str, inputs: str) -> bool:
        """Whether `stage` was made from `inputs` and every file it made is intact."""
        stamp = self.stamp(stage)
        if stamp is None or stamp.get("inputs") != inputs:
            return False
        return all(
            self.file(name).is_file() and atomic.sha256(self.file(name)) == digest
            for name, digest in stamp["outputs"].items()
        )

    def finish(
        self,
        stage: str,
        inputs: str,
        result: Mapping[str, Any],
        outputs: list[Path],
        started: float,
        seconds_before: float = 0.0,
    ) -> None:
        """Stamp a stage as done.

        Args:
            stage: Its name.
            inputs: A fingerprint of what it was made from.
            result: What it made, as values.
            outputs: What it made, as files and folders of the run.
            started: `time.monotonic()` at its begin.
            seconds_before: What it took in earlier processes, whose work it goes on with.
        """
        files = sorted({f for path in outputs for f in _files(path)})
        seconds, now = time.monotonic() - started, time.time()
        stamp = {
            "stage": stage,
            "inputs": inputs,
            "seconds": round(seconds_before + seconds, 3),
            "began": utc(now - seconds),
            "ended": utc(now),
            "country": country(),
            "network": network.now(),
            "peak_memory_bytes": peak_memory_bytes(),
            "result": dict(result),
            "outputs": {self.relative(f): atomic.sha256(f) for f in files},
        }
        fault_point("stamp")
        atomic.write_json(self.file("stamps", f"{stage}.json"), stamp)


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else [f for f in path.rglob("*") if f.is_file()]
