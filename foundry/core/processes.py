"""Which process this is, and whether one that was noted down still lives.

A process id alone does not say: the system gives it to another when its process has ended. Linux
tells at which tick of its own clock a process began, which no change of the wall clock moves.
"""

import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def this() -> dict[str, Any]:
    """Process id, host and start of this process; the start is None where it cannot be told."""
    pid = os.getpid()
    return {"pid": pid, "host": platform.node(), "started": _started(pid)}


def is_gone(noted: Mapping[str, Any]) -> bool:
    """Whether a process noted with `this` has certainly ended; False for one of another host."""
    pid = noted.get("pid")
    if noted.get("host") != platform.node() or not isinstance(pid, int):
        return False
    if sys.platform == "win32":  # where asking with signal 0 would end it
        return False
    if not _exists(pid):
        return True
    started, then = _started(pid), noted.get("started")
    return started is not None and then is not None and started != then


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is another user's
        return True
    return True


def _started(pid: int) -> str | None:
    """Boot of the system and ticks from it to the start of a process, as Linux has them."""
    boot, stat = Path("/proc/sys/kernel/random/boot_id"), Path(f"/proc/{pid}/stat")
    try:
        after_name = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return f"{boot.read_text(encoding='ascii').strip()}:{after_name[19]}"
    except (OSError, IndexError):
        return None
