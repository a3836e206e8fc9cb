"""Whether an error says that the disk or the memory is at its end, or that a path cannot be used.

Libraries say it in their own ways: as an `OSError` with a number, as the text of a `RuntimeError`
(torch 2.13), or with Rust's `os error 28` (safetensors 0.8, tokenizers).
"""

import errno
import os
import re
import shutil
from pathlib import Path

from foundry.core.environment import memory_bytes
from foundry.core.errors import Problem, ResourceError
from foundry.core.language import gettext as _
from foundry.core.sizes import readable

# The disk is full, the quota is used, the file is larger than allowed, read-only, or broken.
REFUSED = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)
OF_RUST = re.compile(r"os error (\d+)\b")
# torch's writer of zip files, and numpy's `tofile`.
OF_LIBRARIES = re.compile(
    r"PytorchStreamWriter failed writing|unexpected pos \d+ vs|\d+ requested and \d+ written"
)
# The last is oneDNN's, which needs memory for the code of a product; what it cannot compute at all,
# it says of a primitive's descriptor.
OF_MEMORY = re.compile(
    r"can't allocate memory|Cannot allocate memory|out of memory|bad[_ ]alloc"
    r"|could not create a primitive$",
    re.IGNORECASE,
)


def disk_says(error: BaseException) -> str | None:
    """Why the system refused to write, in its own words; None for another kind of error."""
    if isinstance(error, OSError) and error.errno in REFUSED:
        return os.strerror(error.errno)
    text = str(error)
    found = OF_RUST.search(text)
    if found and int(found[1]) in REFUSED:
        return os.strerror(int(found[1]))
    if isinstance(error, RuntimeError | OSError) and OF_LIBRARIES.search(text):
        return _("a file was written in part only")
    return None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an allocation failed: Python's own, torch's, or one of a library of C++."""
    if isinstance(error, MemoryError) or (
        isinstance(error, OSError) and error.errno == errno.ENOMEM
    ):
        return True
    return isinstance(error, RuntimeError) and OF_MEMORY.search(str(error)) is not None


def disk_full(path: Path, why: str, needed_bytes: int | None = None) -> ResourceError:
    """The error of a folder or file that the system refuses to write; says what is free there."""
    free = readable(free_bytes(path))
    if needed_bytes is None:
        what = _("cannot be written ({why}); {free} are free").format(why=why, free=free)
    else:
        what = _("cannot be written ({why}); {needed} are needed, {free} are free")
        what = what.format(why=why, needed=readable(needed_bytes), free=free)
    fix = _("make space on the disk, then run the same command again; what was whole is kept")
    return ResourceError(Problem(str(path), what, fix))


def free_bytes(path: Path) -> int:
    """Bytes that may still be written at `path`, which need not exist yet."""
    whole = path.absolute()
    return shutil.disk_usage(next(p for p in (whole, *whole.parents) if p.exists())).free


def refused_path(error: OSError) -> ResourceError | None:
    """What the system has against a path, or the disk it is on; None where it may be our fault.

    Only what a person can mend without us is told so: a folder in the place of a file or a file in
    that of a folder, a missing right, a full or read-only disk.
    """
    named = error.filename2 or error.filename
    where = "" if named is None else os.fsdecode(named)
    path, fix = Path(where), _("name another path")
    if error.errno in REFUSED:
        what = _("cannot be written ({error})").format(error=os.strerror(error.errno))
        return ResourceError(Problem(where, what, _("make space on the disk, or use another")))
    if named is None:
        return None
    if error.errno in (errno.EEXIST, errno.ENOTDIR) and not path.is_dir():
        file = next((p for p in (path, *path.parents) if p.is_file()), path)
        return ResourceError(Problem(str(file), _("a file; a folder is needed there"), fix))
    if error.errno == errno.EISDIR and path.is_dir():
        return ResourceError(Problem(where, _("a folder; a file is needed there"), fix))
    if error.errno in (errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.ENODEV):
        what = _("cannot be used ({why})").format(why=error.strerror)
        return ResourceError(Problem(where, what, fix))
    return None


def refused_folder(path: Path) -> Problem | None:
    """Why no folder can be made at `path` or written to; None where it can. Nothing is written."""
    whole = path.absolute()
    existing = next(p for p in (whole, *whole.parents) if p.exists())
    if not existing.is_dir():
        what = _("{path} is a file; a folder is needed there").format(path=existing)
        return Problem(str(path), what, _("remove it, or choose another folder with `--runs`"))
    if not os.access(existing, os.W_OK | os.X_OK):  # says it of a read-only disk to root, too
        what = _("{path} cannot be written to").format(path=existing)
        return Problem(str(path), what, _("choose another folder with `--runs`"))
    return None


def memory_limit_bytes() -> int | None:
    """Memory that this process can get: the machine's, the container's, or its own limit."""
    limits = [memory_bytes(), *_own_limit()]
    return min((limit for limit in limits if limit is not None), default=None)


def _own_limit() -> list[int]:
    try:
        import resource
    except ImportError:  # Windows
        return []
    soft = resource.getrlimit(resource.RLIMIT_AS)[0]
    return [] if soft == resource.RLIM_INFINITY else [soft]
