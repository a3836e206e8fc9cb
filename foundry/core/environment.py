"""What a run was made on: versions, processor, memory. Never a host, user or folder name (C43)."""

import os
import platform
import re
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from foundry.core.version import version

# The libraries whose version can change a number in a run.
LIBRARIES = (
    *("torch", "transformers", "peft", "trl", "datasets", "accelerate", "bitsandbytes"),
    *("tokenizers", "safetensors", "gguf", "xllamacpp", "numpy", "scipy", "pyarrow"),
    *("huggingface_hub", "jinja2", "pydantic", "PyYAML"),
)
# Settings that change what the libraries compute or where they run; none holds a secret.
SETTINGS = ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_CORETYPE")

_MEMORY_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def environment() -> dict[str, Any]:
    """The record that stage 2 writes to `env.json`."""
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


def installed(distribution: str) -> str | None:
    """The version of an installed distribution, None where it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def cores() -> int:
    """Processor cores this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory_bytes() -> int | None:
    """Memory this process may use: the machine's, or less in a container; None if unknown."""
    if sys.platform == "win32":
        return None
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limits = [path.read_text().strip() for path in _MEMORY_LIMITS if path.is_file()]
    return min([total, *(int(limit) for limit in limits if limit.isdecimal())])


def peak_memory_bytes() -> int | None:
    """The most memory this process has held since it began; None where the system does not say."""
    if sys.platform == "win32":
        return None
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
