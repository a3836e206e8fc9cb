"""Run the processes that train a plan without torchrun: forked off a server with the libraries."""

import json
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from foundry.core import atomic
from foundry.core.events import Events
from foundry.core.rundir import RunDir
from foundry.train.processes import worker
from tests.end_to_end import killed

STEPS = {"max_steps": 4, "checkpoint_every": 2, "global_batch_size": 4, "micro_batch_size": 2}


def fault(rank: int) -> None:
    """What is wrong with a process; a test puts another, by `change`, in the place of this."""


def child(rank: int, runs: Sequence[RunDir], port: int, fault: Any) -> None:
    """What a process does: what `worker.main` does, but for its standard streams."""
    size = str(len(runs))
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=size)
    os.environ.update(LOCAL_WORLD_SIZE=size, MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        sys.stderr = nowhere
        fault(rank)
        said = worker.ended(runs[rank].file("plan.json"), Events())
        atomic.write_json(worker.report(runs[rank], rank), said)
    os._exit(0)


def train(runs: Sequence[RunDir]) -> list[dict[str, Any]]:
    """Train a plan in as many processes as runs are given; how each ended, `{}` if it was killed.

    Args:
        runs: Where each process finds the run: one folder again and again, as on one machine.
    """
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    made = killed.server().Process
    started = [made(target=child, args=(n, runs, port, fault)) for n in range(len(runs))]
    for rank, process in enumerate(started):
        atomic.remove(worker.report(runs[rank], rank))
        process.start()
    for process in started:
        process.join(killed.TIMEOUT_S)
        assert process.exitcode is not None, "the process did not end"
    return [_read(worker.report(run, rank)) for rank, run in enumerate(runs)]


def _read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}
