"""`SHA256SUMS`: the hash of every file of a folder, in the form `sha256sum -c` reads."""

import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from foundry.core import atomic
from foundry.core.errors import Problem
from foundry.core.language import gettext as _

NAME = "SHA256SUMS"
LINE = re.compile(r"([0-9a-f]{64})  (.+)")


@dataclass
class Sums:
    """What `SHA256SUMS` says: hash by file name, and the lines that say nothing."""

    hashes: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def write(folder: Path) -> dict[str, str]:
    """Hash every file of `folder` and write the list, sorted by name."""
    files, _odd = walk(folder)
    hashes = {name: atomic.sha256(folder / name) for name in sorted(files) if name != NAME}
    lines = [f"{digest}  {name}\n" for name, digest in hashes.items()]
    atomic.write_text(folder / NAME, "".join(lines))
    return hashes


def read(folder: Path) -> Sums:
    """Read the list; a line that is not a hash and a name inside the folder is a problem."""
    sums = Sums()
    path = folder / NAME
    if path.is_symlink() or not path.is_file():
        sums.problems.append(Problem(NAME, _("the list of hashes is missing")))
        return sums
    text = path.read_bytes().decode("utf-8", errors="replace")
    if text and not text.endswith("\n"):
        sums.problems.append(Problem(NAME, _("the last line has no end")))
    for number, line in enumerate(text.removesuffix("\n").split("\n"), start=1):
        found = LINE.fullmatch(line)
        where = f"{NAME}:{number}"
        if found is None:
            sums.problems.append(Problem(where, _("not a SHA-256 and a file name")))
        elif not is_inside(found[2]):
            what = _("the name leads out of the package ({name})").format(name=found[2])
            sums.problems.append(Problem(where, what))
        elif found[2] in sums.hashes or found[2] == NAME:
            what = _("`{name}` must not stand here").format(name=found[2])
            sums.problems.append(Problem(where, what))
        else:
            sums.hashes[found[2]] = found[1]
    return sums


def is_inside(name: str) -> bool:
    """Whether a name is relative, in its shortest form, and stays below its folder everywhere."""
    parts = PurePosixPath(name).parts
    if not parts or name != "/".join(parts) or name.startswith("/"):
        return False
    return ".." not in parts and "\\" not in name and "\0" not in name and ":" not in name


def compare(folder: Path, hashes: Mapping[str, str]) -> list[Problem]:
    """Files that changed, are missing, are not listed, or are no files."""
    files, problems = walk(folder)
    for name, expected in sorted(hashes.items()):
        if name not in files:
            what = _("the file is missing, though {sums} lists it").format(sums=NAME)
            problems.append(Problem(name, what))
        elif (found := atomic.sha256(folder / name)) != expected:
            what = _("the file was changed: its SHA-256 is {found}, {sums} has {expected}")
            what = what.format(found=found, sums=NAME, expected=expected)
            problems.append(Problem(name, what))
    for name in sorted(files - set(hashes) - {NAME}):
        what = _("the file is not listed in {sums}").format(sums=NAME)
        problems.append(Problem(name, what, _("remove it, or ask where it comes from")))
    return problems


def walk(folder: Path) -> tuple[set[str], list[Problem]]:
    """The names of all plain files, and a problem for each link, device or pipe."""
    files, problems = set(), []
    for name, mode in _entries(folder):
        if stat.S_ISREG(mode):
            files.add(name)
        else:
            what = _("links, pipes and devices do not belong in a package")
            problems.append(Problem(name, what, _("remove it")))
    return files, problems


def _entries(folder: Path) -> Iterator[tuple[str, int]]:
    """Everything below `folder` but its folders; a link is never followed."""
    for place, folders, names in os.walk(folder):
        for name in [*folders, *names]:
            path = Path(place, name)
            mode = path.lstat().st_mode
            if not stat.S_ISDIR(mode):
                yield path.relative_to(folder).as_posix(), mode
