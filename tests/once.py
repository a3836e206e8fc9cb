"""Build what many tests share once, though several processes run them (pytest-xdist)."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

UNDER_XDIST = "PYTEST_XDIST_WORKER" in os.environ


def once(factory: pytest.TempPathFactory, name: str, build: Callable[[Path], object]) -> Path:
    """A folder of this test run; `build` fills it where no worker has done so before.

    Another file's folder of the same `name` is another one.
    """
    # Under xdist each worker has a folder of its own inside that of the run.
    base = factory.getbasetemp().parent if UNDER_XDIST else factory.getbasetemp()
    room = base / build.__module__
    room.mkdir(exist_ok=True)
    folder, done = room / name, room / f"{name}.done"
    with FileLock(room / f"{name}.lock"):
        if not done.exists():
            build(folder)
            done.touch()
    return folder
