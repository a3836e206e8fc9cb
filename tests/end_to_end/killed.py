"""Run the product in a process of its own and kill it at a chosen moment.

The processes are forked off a server that has imported the libraries once; each is as fresh as one
that was started by a shell, without the eight seconds of imports.
"""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

PRELOAD = ["torch", "transformers", "peft", "trl", "datasets", "foundry.train.fitting", __name__]
TIMEOUT_S = 120
Fault = Callable[[], None]


def server() -> Any:
    """The server that the processes are forked from."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    return context


def child(arguments: Sequence[str], fault: Fault | None) -> None:
    """What the process does: patch the fault in, then run the command line."""
    import torch

    from foundry.cli.main import main

    torch.set_num_threads(1)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    if fault is not None:
        fault()
    os._exit(main(arguments))


def run(arguments: Sequence[str], fault: Fault | None = None) -> int:
    """Run a command line to its end; the exit code, negative for the signal that ended it."""
    process = server().Process(target=child, args=(arguments, fault))
    process.start()
    process.join(TIMEOUT_S)
    assert process.exitcode is not None, "the process did not end"
    return int(process.exitcode)


def kill_when(arguments: Sequence[str], ready: Callable[[], bool]) -> int:
    """Run a command line and kill it, from outside, as soon as `ready`."""
    process = server().Process(target=child, args=(arguments, None))
    process.start()
    end = time.monotonic() + TIMEOUT_S
    while process.is_alive() and not ready() and time.monotonic() < end:
        time.sleep(0.001)
    with suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGKILL)
    process.join(TIMEOUT_S)
    return int(process.exitcode)


def die() -> None:
    """End at once, as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)
