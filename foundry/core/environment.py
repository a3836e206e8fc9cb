"""What a run was made on: versions, processor, memory. Never a host, user or folder name (C43)."""

import os
import platform
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from foundry.core import allocator
from foundry.core.errors import Problem, RecipeError
from foundry.core.language import gettext as _
from foundry.core.shipped import PACKAGE
from foundry.core.version import version

# The libraries whose version can change a number in a run.
LIBRARIES = (
    *("torch", "transformers", "peft", "trl", "datasets", "accelerate", "bitsandbytes"),
    *("tokenizers", "safetensors", "gguf", "xllamacpp", "numpy", "scipy", "pyarrow"),
    *("huggingface_hub", "jinja2", "pydantic", "PyYAML"),
)
# Settings that change what the libraries compute or where they run; none holds a secret.
SETTINGS = ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_CORETYPE")

COUNTRY = "FOUNDRY_COUNTRY"
SHARE = "FOUNDRY_MACHINE_SHARE"

_MEMORY_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def record() -> dict[str, Any]:
    """What stage 2 writes to `env.json`: the environment, and what bills of it have to say."""
    found = environment()
    licences = {name: licence_of(name) for name in LIBRARIES if found["packages"][name] is not None}
    ours = {"licences": licences, "commit": commit(), "allocator": allocator.used()}
    return {**found, **ours}


def environment() -> dict[str, Any]:
    """What can change a number in a run."""
    return {
        "foundry": version(),
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "system": platform.system(),
        "machine": platform.machine(),
        "cpu": cpu_name(),
        "cores": cores(),
        "memory_bytes": memory_bytes(),
        "packages": {name: installed(name) for name in LIBRARIES},
        "settings": {name: os.environ[name] for name in SETTINGS if name in os.environ},
    }


def commit() -> dict[str, Any] | None:
    """The commit of the checkout that the program runs from; None where it was installed.

    `modified` says whether its files differ from that commit.
    """
    if not (PACKAGE.parent / "pyproject.toml").is_file() or (git := shutil.which("git")) is None:
        return None
    # `--match` with a pattern that no tag has: the commit alone.
    command = ["describe", "--always", "--dirty", "--abbrev=40", "--match="]
    told = subprocess.run(
        [git, "-C", str(PACKAGE.parent), *command], capture_output=True, text=True, check=False
    )
    found = re.fullmatch(r"([0-9a-f]{40})(-dirty)?\n", told.stdout)
    return None if found is None else {"id": found[1], "modified": found[2] is not None}


def installed(distribution: str) -> str | None:
    """The version of an installed distribution, None where it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def licence_of(distribution: str) -> str | None:
    """The licence of an installed distribution in its makers' words; None where they say none.

    Source: https://packaging.python.org/en/latest/specifications/core-metadata/: an SPDX expression
    in `License-Expression`; before metadata 2.4 a classifier, or a line of text.
    """
    try:
        told = metadata.metadata(distribution)
    except metadata.PackageNotFoundError:
        return None
    classifiers = told.get_all("Classifier") or []
    named = [one.split(" :: ")[-1] for one in classifiers if one.startswith("License :: ")]
    lines = [line.strip() for line in told.get_all("License") or []]
    short = [line for line in lines if line and "\n" not in line and len(line) <= 64]
    said = [*(told.get_all("License-Expression") or []), *short, " AND ".join(named)]
    return said[0] or None


def country() -> str | None:
    """Where this machine stands, as `FOUNDRY_COUNTRY` says; never guessed from an address.

    Raises:
        RecipeError: It is not the code of a country.
    """
    told = os.environ.get(COUNTRY)
    if told and not re.fullmatch(r"[A-Z]{2}", told):
        what = _("not a code of ISO 3166-1 with two capital letters ({found})")
        raise RecipeError(Problem(COUNTRY, what.format(found=told), _("write `TW`, for example")))
    return told or None


def cores() -> int:
    """Processor cores this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def machine_share() -> float:
    """The part of the machine this process may use, above 0 to 1, where others train beside it.

    `foundry study run --at-once` says so to each training that it starts: one of as many parts as
    there may be at once, also while fewer are.
    """
    told = os.environ.get(SHARE, "")
    found = float(told) if re.fullmatch(r"[01](\.\d+)?", told) else 1.0
    return found if 0 < found <= 1 else 1.0


def memory_bytes() -> int | None:
    """Memory this process may use: the machine's, or less in a container; None if unknown."""
    if sys.platform == "win32":
        return None
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limits = [path.read_text().strip() for path in _MEMORY_LIMITS if path.is_file()]
    return min([total, *(int(limit) for limit in limits if limit.isdecimal())])


def peak_memory_bytes() -> int | None:
    """The most memory this process has held since it began; None where the system does not say.

    On Linux the mark of proc_pid_status(5). That of getrusage(2) begins at what the process that
    started this one held, where it was started by vfork, as Python's `subprocess` does.
    """
    if sys.platform == "win32":
        return None
    status = Path("/proc/self/status")
    said = status.read_text(encoding="utf-8") if status.is_file() else ""
    if marked := re.search(r"^VmHWM:\s*(\d+) kB$", said, flags=re.MULTILINE):
        return int(marked.group(1)) * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # getrusage(2): kilobytes on Linux


def cpu_name() -> str:
    """The processor as its maker names it."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        found = re.search(r"^model name\s*:\s*(.+)$", info.read_text(), flags=re.MULTILINE)
        if found:
            return found.group(1)
    return platform.processor() or platform.machine()


def is_by_intel() -> bool:
    """Whether the processor names Intel as its maker, as the instruction CPUID tells it."""
    info = Path("/proc/cpuinfo")
    told = info.read_text() if info.is_file() else platform.processor()
    return "GenuineIntel" in told
