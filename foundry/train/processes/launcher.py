"""Train a plan in several processes of this machine, and tell how that ended.

They are started with torchrun's own agent (`agent.py`) in a session of its own, so that Ctrl-C
reaches them through this process alone, which holds the other end of their standard input: when it
is closed, or this process is gone, they save and stop. What torchrun returns is not believed: how
each process ended stands in its own report (ecosystem.md 5.2).
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from foundry.core import allocator, atomic
from foundry.core.errors import (
    DataError,
    FoundryError,
    InterruptedByUser,
    InterruptedRun,
    Problem,
    ProofError,
    RecipeError,
    ResourceError,
)
from foundry.core.events import HEAD, Events
from foundry.core.language import gettext as _
from foundry.core.records import Plan, TrainResult
from foundry.core.rundir import RunDir
from foundry.train.processes.worker import FOLDER, LOST, report
from foundry.train.signals import StopRequest, stop_on_signals

ERRORS = {error.kind: error for error in (DataError, ProofError, RecipeError, ResourceError)}
LOG = "log.txt"
Report = Mapping[str, Any]


def launch(plan: Plan, run: RunDir, events: Events) -> TrainResult:
    """Train in as many processes as the plan says, from the newest checkpoint on.

    Args:
        plan: As it stands in `plan.json` of the run.
        run: Rows are encoded in it, and it is locked by this process.
        events: Told what the first process tells.

    Raises:
        InterruptedRun: A signal came; the state is saved.
        ResourceError: A process was killed; names its rank.
        FoundryError: What stopped the process that failed first; names its rank.
    """
    size = plan.resolved["world_size"]
    atomic.remove(run.file(FOLDER))
    run.file(FOLDER).mkdir(parents=True)
    with _begun(run, size) as (agent, stop):
        failures = _told(agent, events)
    return _outcome([_report(run, rank) for rank in range(size)], failures, stop, run)


def _outcome(
    reports: Sequence[Report | None],
    failures: Sequence[Mapping[str, int]],
    stop: StopRequest,
    run: RunDir,
) -> TrainResult:
    """What the first process made; also where a stop was asked for after that, nothing goes on."""
    first = reports[0]
    if first is None or not first.get("result"):
        raise _error(reports, failures, stop, run)
    if stop.signal_number is not None:
        raise _interrupted([], stop)
    made = first["result"]
    return TrainResult(**{**made, "warnings": tuple(made["warnings"])})


@contextmanager
def _begun(run: RunDir, size: int) -> Iterator[tuple["subprocess.Popen[bytes]", StopRequest]]:
    """The agent, whose workers end with the block whatever happens."""
    plan_file = str(run.file("plan.json").absolute())
    command = [sys.executable, "-P", "-m", "foundry.train.processes.agent", plan_file, str(size)]
    pipe = subprocess.PIPE
    with run.file(FOLDER, LOG).open("wb") as log:
        agent = subprocess.Popen(
            command,
            bufsize=0,
            stdin=pipe,
            stdout=pipe,
            stderr=log,
            start_new_session=True,
            env=allocator.environment(os.environ),
        )
    assert agent.stdin is not None
    try:
        with stop_on_signals(agent.stdin.close) as stop:
            yield agent, stop
            agent.wait()
    finally:
        agent.stdin.close()
        agent.terminate()  # says nothing to one that has ended
        agent.wait()


def _told(agent: "subprocess.Popen[bytes]", events: Events) -> list[dict[str, int]]:
    """Pass on what happens until all have ended; the failures that the agent saw."""
    failures: list[dict[str, int]] = []
    assert agent.stdout is not None
    for line in _lines(agent.stdout):
        if "failures" in line:
            failures = line["failures"]
        else:
            own = {key: value for key, value in line.items() if key not in HEAD}
            events.emit(line["stage"], line["event"], **own)
    return failures


def _lines(stream: Any) -> Iterator[dict[str, Any]]:
    with open(stream.fileno(), encoding="utf-8", closefd=False) as text:
        for line in text:
            yield json.loads(line)


def _report(run: RunDir, rank: int) -> Report | None:
    path = report(run, rank)
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def _error(
    reports: Sequence[Report | None],
    failures: Sequence[Mapping[str, int]],
    stop: StopRequest,
    run: RunDir,
) -> FoundryError:
    """Why there is no result: what stopped the process that was the first to end."""
    order = [failure["rank"] for failure in failures]
    order += [rank for rank in range(len(reports)) if rank not in order]
    told = [(rank, found) for rank in order if (found := reports[rank]) is not None]
    log = run.file(FOLDER, LOG)
    for rank, found in told:
        if found["error"] not in (LOST, InterruptedRun.kind, None):
            return _of_rank(rank, found, log)
    if stop.signal_number is not None or any(f["error"] == InterruptedRun.kind for _r, f in told):
        return _interrupted(told, stop)
    for failure in failures:
        if reports[failure["rank"]] is None:
            return _killed(failure, log)
    what = _("the training processes ended and none says why")
    return FoundryError(Problem("train", what, _report_it(log)))


def _of_rank(rank: int, found: Report, log: Path) -> FoundryError:
    """The error of a process, which it names."""
    kind = ERRORS.get(found["error"], FoundryError)
    head = _("rank {number}").format(number=rank)
    problems = [
        Problem(
            one["where"] or "train",
            f"{head}: {one['what']}",
            one["fix"] if kind is not FoundryError else _report_it(log),
        )
        for one in found["problems"]
    ]
    return kind(problems)


def _interrupted(told: Sequence[tuple[int, Report]], stop: StopRequest) -> InterruptedRun:
    """The end that was asked for; where nobody had begun a step, nothing is saved or lost."""
    kind = InterruptedByUser if stop.signal_number == signal.SIGINT else InterruptedRun
    said = [Problem(**one) for _rank, found in told for one in found["problems"]]
    fix = _("run the same command again to go on")
    return kind(said[:1] or Problem("train", _("stopped by a signal"), fix))


def _killed(failure: Mapping[str, int], log: Path) -> FoundryError:
    rank, pid, code = failure["rank"], failure["pid"], failure["exit"]
    fix = _("free memory if it ran out; run the same command again to go on")
    if code < 0:
        name = signal.Signals(-code).name
        what = _("rank {number} (process {pid}) was ended by {signal}; the others were stopped")
        return ResourceError(Problem("train", what.format(number=rank, pid=pid, signal=name), fix))
    what = _("rank {number} (process {pid}) ended with {code} and did not say why")
    return FoundryError(
        Problem("train", what.format(number=rank, pid=pid, code=code), _report_it(log))
    )


def _report_it(log: Path) -> str:
    return _("report it with the file {path}").format(path=log)
