"""`SHA256SUMS`: the hash of every file of a folder, in the form `sha256sum -c` reads.

Its lines stand in the order of the names, so that the same files make the same bytes, which is what
is signed. The signature itself is the one file that it does not list.
"""

import hashlib
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path, PurePosixPath

from foundry.core import atomic
from foundry.core.errors import Problem
from foundry.core.language import gettext as _

NAME = "SHA256SUMS"
SIGNATURE = "signature.json"
UNLISTED = {NAME, SIGNATURE}
LINE = re.compile(r"([0-9a-f]{64})  (.+)")


def again() -> str:
    """The fix of a package that is not as it was made."""
    return _("get the package again from whoever made it")


@dataclass
class Sums:
    """What `SHA256SUMS` says: hash by file name, and the lines that say nothing."""

    hashes: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def write(folder: Path) -> dict[str, str]:
    """Hash every file of `folder` and write the list, sorted by name."""
    files, _odd = walk(folder)
    hashes = {name: atomic.sha256(folder / name) for name in sorted(files - UNLISTED)}
    atomic.write_text(folder / NAME, text(hashes))
    return hashes


def text(hashes: Mapping[str, str]) -> str:
    """The list as it is written: a line for each file, sorted by name (code points)."""
    return "".join(f"{hashes[name]}  {name}\n" for name in sorted(hashes))


def digest(hashes: Mapping[str, str]) -> str:
    """Hex SHA-256 of the list as it is written: what `sha256sum SHA256SUMS` prints."""
    return hashlib.sha256(text(hashes).encode("utf-8")).hexdigest()


def read(folder: Path) -> Sums:
    """Read the list; a line that is not a hash and a name inside the folder is a problem."""
    sums = Sums()
    path = folder / NAME
    if path.is_symlink() or not path.is_file():
        sums.problems.append(Problem(NAME, _("the list of hashes is missing")))
        return sums
    return parse(path.read_bytes())


def parse(content: bytes) -> Sums:
    """Read the bytes of a list."""
    sums = Sums()
    lines = content.decode("utf-8", errors="replace")
    if lines and not lines.endswith("\n"):
        sums.problems.append(Problem(NAME, _("the last line has no end")))
    for number, line in enumerate(lines.removesuffix("\n").split("\n"), start=1):
        found = LINE.fullmatch(line)
        where = f"{NAME}:{number}"
        if found is None:
            sums.problems.append(Problem(where, _("not a SHA-256 and a file name")))
        elif not is_inside(found[2]):
            what = _("the name leads out of the package ({name})").format(name=found[2])
            sums.problems.append(Problem(where, what))
        elif found[2] in sums.hashes or found[2] in UNLISTED:
            what = _("`{name}` must not stand here").format(name=found[2])
            sums.problems.append(Problem(where, what))
        else:
            sums.hashes[found[2]] = found[1]
    sums.problems += _out_of_order(list(sums.hashes))
    return sums


def _out_of_order(names: list[str]) -> Iterator[Problem]:
    """Names that stand after one that belongs behind them."""
    for before, name in pairwise(names):
        if name < before:
            what = _("the lines are not in the order of their names: `{name}` after `{before}`")
            yield Problem(NAME, what.format(name=name, before=before))


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
    for name in sorted(files - set(hashes) - UNLISTED):
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
