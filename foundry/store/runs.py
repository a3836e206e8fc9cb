"""Find the runs of a folder, and read what each has written; a damaged file says nothing."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from foundry.core.errors import Problem, RecipeError, ResourceError
from foundry.core.language import gettext as _
from foundry.core.rundir import STAGES, RunDir

Json = dict[str, Any]
# What makes a folder a run: the plan, or the lock and log of a run that did not come to its plan.
SIGNS = ("plan.json", "events.jsonl")
MOST_CANDIDATES = 8


@dataclass(frozen=True)
class Run:
    """One run, as far as its files tell."""

    dir: RunDir

    @property
    def name(self) -> str:
        """The name of the folder."""
        return self.dir.path.name

    @cached_property
    def plan(self) -> Json:
        """The plan; empty where there is none."""
        return read_json(self.dir.file("plan.json"))

    @cached_property
    def environment(self) -> Json:
        """What it was made on."""
        return read_json(self.dir.file("env.json"))

    @cached_property
    def stamps(self) -> dict[str, Json]:
        """The stamps of the stages that were finished, in their order."""
        found = {stage: self.dir.stamp(stage) for stage in STAGES}
        return {stage: stamp for stage, stamp in found.items() if stamp is not None}

    @cached_property
    def events(self) -> list[Json]:
        """Everything it logged, over all the times it was begun."""
        return read_lines(self.dir.file("events.jsonl"))

    @cached_property
    def metrics(self) -> list[Json]:
        """The curve, a line a step."""
        return read_lines(self.dir.file("metrics.jsonl"))

    def result(self, stage: str) -> Json:
        """What a finished stage made; empty where it is not finished."""
        return table(self.stamps, stage, "result")

    def value(self, *keys: str) -> Any:
        """A value of the recipe as the plan filled it in; None where there is none."""
        return at(self.plan, "values", *keys)

    @property
    def last_told(self) -> str | None:
        """When it last logged something, wall-clock time, for display and to sort by."""
        return next((e["t"] for e in reversed(self.events) if isinstance(e.get("t"), str)), None)

    @cached_property
    def size_bytes(self) -> int:
        """Bytes of its files; what a link points at is not its own."""
        return sum(path.lstat().st_size for path in files(self.dir.path))


def find(folder: Path) -> list[Run]:
    """The runs in `folder`, the newest first; none where there is no such folder.

    Raises:
        ResourceError: It is a file.
    """
    if folder.is_file():
        what, fix = _("a file; a folder is needed there"), _("name the folder with `--runs`")
        raise ResourceError(Problem(str(folder), what, fix))
    if not folder.is_dir():
        return []
    paths = [path for path in folder.iterdir() if _is_run(path)]
    found = [Run(RunDir(path)) for path in sorted(paths, reverse=True)]
    return sorted(found, key=lambda run: run.last_told or "", reverse=True)


def named(folder: Path, name: str) -> Run:
    """The run that `name` means: its folder's name or the beginning of it, or of its fingerprint.

    A path means what lies there, and no other run of the same name.

    Raises:
        ResourceError: It means none; names those that there are.
        RecipeError: It means several; names them.
    """
    path = Path(name)
    if path.parent != Path():
        if _is_run(path):
            return Run(RunDir(path))
        if path.parent.resolve() != folder.resolve():
            fix = _("check the path, or give the run's name alone and its folder with `--runs`")
            raise ResourceError(Problem(name, _("no run lies there"), fix))
    wanted, runs = path.name, find(folder)
    exact = [run for run in runs if run.name == wanted]
    found = exact or [
        run for run in runs if any(part.startswith(wanted) for part in _names(run.name))
    ]
    if len(found) == 1 and wanted:
        return found[0]
    kind = RecipeError if found else ResourceError
    raise kind(_unclear(folder, name, found or runs, is_known=bool(found)))


def _names(name: str) -> tuple[str, str]:
    return name, name.rpartition("-")[2]


def _unclear(folder: Path, name: str, candidates: list[Run], *, is_known: bool) -> Problem:
    what = _("several runs begin so") if is_known else _("no run of this name in {folder}")
    if not candidates:
        fix = _("name their folder with `--runs`; `foundry train` makes one")
        return Problem(name, what.format(folder=folder), fix)
    shown = ", ".join(run.name for run in candidates[:MOST_CANDIDATES])
    more = "" if len(candidates) <= MOST_CANDIDATES else ", …"
    fix = _("use one of {names}").format(names=shown + more)
    return Problem(name, what.format(folder=folder), fix)


def _is_run(path: Path) -> bool:
    return path.is_dir() and any((path / sign).is_file() for sign in SIGNS)


def files(folder: Path) -> Iterator[Path]:
    """Every file below `folder`, links as themselves; folders that are links are not entered."""
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            yield from files(path)
        else:
            yield path


def at(value: Any, *keys: str) -> Any:
    """The value under a path of keys; None where the path ends before."""
    for key in keys:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def table(value: Any, *keys: str) -> Json:
    """The object under a path of keys; empty where there is none, or something else."""
    found = at(value, *keys)
    return found if isinstance(found, dict) else {}


def number(value: Any, *keys: str) -> Any:
    """The whole or other number under a path of keys; None where there is none."""
    found = at(value, *keys)
    return found if isinstance(found, int | float) else None


def read_json(path: Path) -> Json:
    """The object in a file; empty where the file is missing or damaged."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def read_lines(path: Path) -> list[Json]:
    """The object of each line of a file; a torn or damaged line is left out."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return [value for line in text.split("\n") if (value := _object(line)) is not None]


def _object(line: str) -> Json | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
