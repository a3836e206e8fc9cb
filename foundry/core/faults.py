"""Points at which a test ends the process, as a power cut would: every commit passes some of them.

`FOUNDRY_FAULT=file-rename:3` kills this process when it comes to the point `file-rename` for the
third time; `file-rename:3:ENOSPC` raises that error of the system there. Without the variable a
point costs one look into the environment.
"""

import errno
import os
import signal
from collections import Counter

VARIABLE = "FOUNDRY_FAULT"
# What is whole on the disk at each point, in the order in which a commit passes them.
POINTS = {
    "lock-held": "the run is ours, nothing is done",
    "file-write": "the temporary file is to be made",
    "file-rename": "the temporary file is whole",
    "file-done": "the file is in place",
    "folder-write": "the temporary folder is empty",
    "folder-rename": "the temporary folder is whole, what it replaces is gone",
    "folder-done": "the folder is in place",
    "part-rename": "what was written bit by bit is whole",
    "log-write": "the line of the log before is whole",
    "line-write": "the line before is whole",
    "line-half": "half a line is written",
    "rows-write": "some rows of a part or a shard are written, not all",
    "checkpoint-state": "the adapter and the optimizer are written, nothing of ours",
    "checkpoint-hashes": "the trainer's files are whole, their hashes are not written",
    "checkpoint-rename": "the checkpoint is whole under another name",
    "checkpoint-drop": "the checkpoint is in place, an older one is to be removed",
    "stamp": "everything of a stage is whole but its stamp",
}
_met: Counter[str] = Counter()


def fault_point(name: str) -> None:
    """End here if the environment asks for it; `name` is one of `POINTS`."""
    wanted = os.environ.get(VARIABLE)
    if wanted is not None:
        strike(name, wanted)


def strike(name: str, wanted: str) -> None:
    """Do what `wanted` (`name[:n[:errno]]`) asks for, where it means this point, this time.

    Raises:
        OSError: The error that was asked for.
    """
    point, _colon, rest = wanted.partition(":")
    if point != name:
        return
    _met[name] += 1
    time, _colon, code = rest.partition(":")
    if _met[name] != int(time or 1):
        return
    if not code:
        os.kill(os.getpid(), signal.SIGKILL)
    number = {text: value for value, text in errno.errorcode.items()}[code]
    raise OSError(number, os.strerror(number))
