"""Free the disk of what no run needs any more, and of nothing that is a run's only evidence.

What may go: the checkpoints of a run whose training is finished and what it trained is whole,
the working folders of stages that are not in work, and files that were half written when a process
was killed. A run that a process holds is left alone.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from foundry.core import atomic
from foundry.core.errors import LockedError
from foundry.core.records import Record
from foundry.store.runs import Run, files

CHECKPOINTS = "checkpoints"
WORK = ((CHECKPOINTS, ".work"), ("data", ".work"))
HALF_WRITTEN = re.compile(r"\..+\.tmp")  # the names that `core.atomic` gives


@dataclass(frozen=True)
class Waste(Record):
    """Something that may go. `why` is `checkpoints`, `work` or `half-written`."""

    run: str
    path: str
    why: str
    size_bytes: int


@dataclass(frozen=True)
class Cleaning(Record):
    """What may go, or went, and the runs that were left alone because a process holds them."""

    waste: tuple[Waste, ...]
    locked: tuple[str, ...]

    @property
    def size_bytes(self) -> int:
        """All of it."""
        return sum(one.size_bytes for one in self.waste)


def clean(runs: Sequence[Run], *, remove: bool) -> Cleaning:
    """Find what no run needs; with `remove`, remove it while holding the run."""
    waste, locked = list[Waste](), list[str]()
    for run in runs:
        if run.dir.holder() is not None:
            locked.append(run.name)
        elif not remove:
            waste += _waste(run)
        else:
            try:
                with run.dir.locked():
                    found = _waste(run)
                    for one in found:
                        atomic.remove(run.dir.file(one.path))
                    waste += found
            except LockedError:
                locked.append(run.name)
    return Cleaning(tuple(waste), tuple(locked))


def _waste(run: Run) -> list[Waste]:
    found = dict[Path, str]()
    checkpoints = run.dir.file(CHECKPOINTS)
    if checkpoints.is_dir() and not checkpoints.is_symlink() and _is_trained(run):
        found |= {path: "checkpoints" for path in sorted(checkpoints.glob("step-*"))}
    found |= {path: "work" for parts in WORK if (path := run.dir.file(*parts)).is_dir()}
    for path in _half_written(run.dir.path):
        if not any(path.is_relative_to(other) for other in found):
            found[path] = "half-written"
    return [
        Waste(run.name, run.dir.relative(path), why, _size(path)) for path, why in found.items()
    ]


def _is_trained(run: Run) -> bool:
    """Whether the training is finished and everything it made still has its hash."""
    stamp = run.dir.stamp("train")
    if stamp is None:
        return False
    made = f"{run.result('train').get('adapter')}/"  # `adapter/`, or `model/` of all weights
    return any(name.startswith(made) for name in stamp.get("outputs", {})) and run.dir.is_done(
        "train", stamp["inputs"]
    )


def _half_written(folder: Path) -> Iterator[Path]:
    """Temporaries of `core.atomic`, files and folders; a link is not followed."""
    for path in sorted(folder.iterdir()):
        if HALF_WRITTEN.fullmatch(path.name) and not path.is_symlink():
            yield path
        elif path.is_dir() and not path.is_symlink():
            yield from _half_written(path)


def _size(path: Path) -> int:
    if path.is_symlink() or path.is_file():
        return path.lstat().st_size
    return sum(file.lstat().st_size for file in files(path))
