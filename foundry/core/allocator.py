"""Hand out memory by jemalloc where the system has it, for the verbs that compute for long.

glibc either keeps freed activations in pieces that the next micro-batch does not fit into, or
gives them back and faults them in again at every operation (`train/memory.py`). jemalloc keeps
them whole for some seconds. SmolLM2-135M, the shop's recipe, two cores, seven steps: 52 s and
1,957 MB at most; 67 s and 2,120 MB with the thresholds that we set for glibc, 54 s and 2,667 MB
with its own. PyTorch's launcher for processors preloads it too (`torch/backends/xeon/run_cpu.py`
at 2.13).

A library takes over `malloc` only where it is loaded before the program, so the process starts
itself anew, once, and then takes the settings out of the environment again: its children are to
have their own memory, among them the one that renders templates in little address space.
"""

import ctypes
import os
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

# The user sets it to `system` to keep the C library's.
CHOICE, SYSTEM, JEMALLOC = "FOUNDRY_ALLOCATOR", "system", "jemalloc"
NAME = "libjemalloc.so.2"
# Only where an administrator installs libraries (hier(7)); Debian's package is `libjemalloc2`.
FOLDERS = ("/usr/lib/{multiarch}", "/usr/lib64", "/usr/lib", "/usr/local/lib")
# Blocks of 8 MiB and more are by default given back as soon as they are freed (jemalloc(3),
# `opt.oversize_threshold`), which is what the activations of a large model are: 59 s instead of 52.
OPTIONS = "oversize_threshold:0"
SETTINGS = ("LD_PRELOAD", "MALLOC_CONF")
MARK = "FOUNDRY_STARTED_ANEW"  # that the settings are ours


def library() -> Path | None:
    """Where jemalloc lies on this machine; None where it does not, or is another system's."""
    if not sys.platform.startswith("linux"):
        return None
    multiarch = sysconfig.get_config_var("MULTIARCH") or ""
    places = (Path(folder.format(multiarch=multiarch), NAME) for folder in FOLDERS)
    return next((place for place in places if place.is_file()), None)


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """The variables `given`, and those with which a process computes with jemalloc if it is there.

    Who wants the system's keeps it, and who has set up an allocator keeps that.
    """
    found = library()
    if found is None or given.get(CHOICE) == SYSTEM or any(name in given for name in SETTINGS):
        return dict(given)
    return {**given, "LD_PRELOAD": str(found), "MALLOC_CONF": OPTIONS, MARK: "1"}


def used() -> str:
    """Which one this process has, `jemalloc` or `system`."""
    maps = Path("/proc/self/maps")
    has = maps.is_file() and NAME in maps.read_text(encoding="utf-8", errors="replace")
    return JEMALLOC if has else SYSTEM


def start_anew(program: Sequence[str]) -> None:
    """Become the same program with jemalloc; returns where there is none or it was done before.

    Where the system does not let it start, it goes on with what it has.
    """
    if os.environ.pop(MARK, None):
        for name in SETTINGS:
            os.environ.pop(name, None)
        return
    wanted = environment(os.environ)
    if MARK in wanted:
        with suppress(OSError):
            os.execve(sys.executable, [sys.executable, *program], wanted)


def give_back() -> None:
    """Return what was freed to the system where glibc keeps it, between what is still in use.

    malloc_trim(3). After the vocabulary of Gemma was read and dropped: 451 MB before, 56 MB after;
    what is read next took 981 MB at most without it, and 753 MB with it.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:  # musl has none
        trim(0)
