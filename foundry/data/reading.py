"""Read a data file by its kind: choose the plug-in, and refuse rows whose text no one can use."""

import re
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from foundry.core import atomic, plugins
from foundry.core.blocks import Block
from foundry.core.errors import DataError, FoundryError, Problem, ResourceError
from foundry.core.language import gettext as _
from foundry.core.near import nearest
from foundry.data.kinds import kind_of
from foundry.data.packed import unpack
from foundry.data.rows import Bad, Blank, Item, Row, is_blank, unusable
from foundry.data.signatures import MAY_BE, READ, not_of_kind, signature
from foundry.data.sources import auto

AUTO = Block(kind="auto", spec=auto.Spec())
UNUSABLE = re.compile("[\0\ud800-\udfff]")


@dataclass(frozen=True)
class Reading:
    """A file about to be read: its kind, how its bytes are read, and its rows in order."""

    kind: str
    encoding: str
    items: Iterator[Item]


def read(path: Path, how: Block = AUTO) -> Reading:
    """Open `path` as the recipe says, or as what its content is; gzip is unpacked on the way.

    Raises:
        ResourceError: There is no such file; names the nearest one that exists.
        DataError: The kind cannot be told, or the file cannot be read; more may be raised while
            the rows are taken.
    """
    if not path.is_file():
        raise ResourceError(_missing(path))
    return _read_packed(path, how) if signature(path) == "gzip" else _read(path, how)


def _read(path: Path, how: Block) -> Reading:
    kind = kind_of(path) if how.kind == AUTO.kind else _fitting(path, how.kind)
    source = plugins.load("source", kind)
    spec = source.Spec() if how.kind == AUTO.kind else how.spec
    items = (_checked(item) for item in source.open(path, spec))
    return Reading(kind, source.describe(path, spec), items)


def _fitting(path: Path, kind: str) -> str:
    """The kind that the recipe gives, if the file can be of it.

    Raises:
        DataError: The file has the signature of something else, or none where the kind has one.
    """
    name = signature(path)
    if kind in READ and name != kind and name not in MAY_BE.get(kind, ()):
        raise DataError(not_of_kind(path, name, kind))
    return kind


def _read_packed(path: Path, how: Block) -> Reading:
    """Read what is in a gzip file from a scratch folder, which goes when the rows are read."""
    folder = Path(tempfile.mkdtemp(prefix="foundry-"))
    try:
        plain = unpack(path, folder)
        with told_of(path, plain):
            inner = _read(plain, how)
    except BaseException:
        atomic.remove(folder)
        raise
    items = _until_read(inner.items, path, plain)
    weakref.finalize(items, atomic.remove, folder)  # where the rows are never taken
    return Reading(inner.kind, f"{inner.encoding}, gzip", items)


def _until_read(items: Iterator[Item], path: Path, plain: Path) -> Iterator[Item]:
    try:
        with told_of(path, plain):
            yield from items
    finally:
        atomic.remove(plain.parent)


@contextmanager
def told_of(path: Path, plain: Path) -> Iterator[None]:
    """Let errors name the file `path` that a person knows, not `plain`, unpacked from it."""
    try:
        yield
    except FoundryError as error:
        if path == plain:
            raise
        raise type(error)([_told_of(problem, path, plain) for problem in error.problems]) from error


def _told_of(problem: Problem, path: Path, plain: Path) -> Problem:
    where, what = (text.replace(str(plain), str(path)) for text in (problem.where, problem.what))
    fix = problem.fix
    if fix is not None and str(plain) in fix:
        first = _("unpack {file} first; then {fix}")
        fix = first.format(file=path, fix=fix.replace(str(plain), plain.name))
    return Problem(where, what, fix)


def _checked(item: Item) -> Item:
    """A row as it is, or Blank or Bad if nothing is in it or its text cannot be written."""
    if not isinstance(item, Row):
        return item
    if all(is_blank(value) for value in item.values.values()):
        return Blank(item.line)
    for field, value in item.values.items():
        if isinstance(value, str) and not UNUSABLE.search(f"{field}{value}"):
            continue
        fault = unusable([field, value])
        if fault is not None:
            code, what = fault
            reason = _("field `{field}`: {what}").format(field=ascii(field)[1:-1], what=what)
            return Bad(item.line, code, reason)
    return item


def _missing(path: Path) -> Problem:
    if path.is_dir():
        return Problem(str(path), _("is a folder, expected a file"))
    folder = next(parent for parent in path.parents if parent.is_dir())
    if folder != path.parent:
        what = _("no such file: the folder {folder} does not exist")
        return Problem(str(path), what.format(folder=path.parent))
    names = [entry.name for entry in folder.iterdir() if entry.is_file()]
    near = nearest(path.name, names, cutoff=0.5)
    fix = _("did you mean {name}?").format(name=folder / near) if near else None
    return Problem(str(path), _("no such file"), fix)
