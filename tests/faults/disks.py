"""Disks that are full, small or read-only: real ones, where this user may mount them."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def mounted(path: Path, *options: str) -> Iterator[Path]:
    """`mount OPTIONS path` for the block; skips the test where that is not allowed."""
    path.mkdir(parents=True, exist_ok=True)
    made = subprocess.run(["mount", *options, str(path)], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"no disk can be mounted here: {made.stderr.strip()}")
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


@contextmanager
def small_disk(path: Path, size_bytes: int) -> Iterator[Path]:
    """A disk of its own at `path`."""
    with mounted(path, "-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs") as disk:
        yield disk


def fill(folder: Path, *, leave_bytes: int) -> Path:
    """Fill the disk of `folder` but for `leave_bytes`; the file that does so."""
    found = os.statvfs(folder)
    path = folder / "filler"
    size = max(0, found.f_bavail * found.f_frsize - leave_bytes)
    with path.open("wb") as stream:
        os.posix_fallocate(stream.fileno(), 0, size)
    return path
