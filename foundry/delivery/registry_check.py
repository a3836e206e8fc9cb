"""Whether a registry is whole: its events, its index, and every file of every package in it."""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass

from foundry.core import atomic
from foundry.core.errors import FoundryError, Problem, ProofError
from foundry.core.language import gettext as _
from foundry.core.records import Record
from foundry.delivery import signature, sums
from foundry.store import registry_index, status_log
from foundry.store.keys import PublicKey
from foundry.store.objects import UNFINISHED
from foundry.store.registry import Registry, locked
from foundry.store.registry_index import Index, Published
from foundry.store.status_log import Event


@dataclass(frozen=True)
class RegistryReport(Record):
    """What was found to be in order.

    `head` is the hash of the last event: whoever notes it elsewhere can ask later whether the log
    still holds it. `unused` counts files that belong to no package, as a publisher that broke off
    leaves them.
    """

    registry: str
    packages: int
    events: int
    objects: int
    unused: int
    head: str
    signers: tuple[str, ...]
    repaired: bool


def check(
    registry: Registry, *, keys: Sequence[PublicKey] = (), head: str | None = None, repair: bool
) -> RegistryReport:
    """Check a registry.

    Args:
        registry: The registry.
        keys: Who may have signed events; anyone where empty.
        head: The hash of an event that must be there.
        repair: Make the index anew and remove what no package uses.

    Raises:
        ProofError: Names each line, package and file that is not in order.
    """
    # A folder that cannot be written to holds still.
    is_shared = os.access(registry.folder, os.W_OK)
    with locked(registry.folder) if is_shared else nullcontext():
        events = registry.log.read()
        right = _indexed(events)
        packages = right.packages()
        problems = [
            *_strangers(events, keys),
            *_without(registry, events, head),
            *_gone(registry, events),
        ]
        if repair and not problems:
            _make_anew(registry, events)
        problems += _index_faults(registry, right)
        right.close()
        files = dict[str, bool]()
        for package in packages:
            problems += _package_faults(registry, package, files)
        unused = set(registry.objects.all()) - set(files)
        if problems:
            raise ProofError(list(dict.fromkeys(problems)))
        if repair:
            _sweep(registry, unused)
    return RegistryReport(
        registry=str(registry.folder),
        packages=len(packages),
        events=len(events),
        objects=len(files),
        unused=0 if repair else len(unused),
        head=events[-1].hash if events else registry.log.origin,
        signers=tuple(dict.fromkeys(PublicKey.of_text(e.by).fingerprint for e in events)),
        repaired=repair,
    )


def _indexed(events: Sequence[Event]) -> Index:
    index = Index.opened(None)
    index.add(events)
    return index


def _strangers(events: Sequence[Event], keys: Sequence[PublicKey]) -> Iterator[Problem]:
    known = {key.text for key in keys}
    for event in events if known else ():
        if event.by not in known:
            found = PublicKey.of_text(event.by).fingerprint
            what = _("signed by a key that you did not name ({found})").format(found=found)
            yield Problem(f"{status_log.NAME}:{event.number}", what)


def _without(registry: Registry, events: Sequence[Event], head: str | None) -> Iterator[Problem]:
    if head is not None and head not in {registry.log.origin, *(event.hash for event in events)}:
        what = _("no event has the hash that you noted ({head}): some were taken out or changed")
        yield Problem(status_log.NAME, what.format(head=head), _("restore the file from a copy"))


def _gone(registry: Registry, events: Sequence[Event]) -> Iterator[Problem]:
    """Events that the index has seen and the log has not: cut off its end, or changed."""
    try:
        index = Index.opened(registry.folder / registry_index.NAME)
    except sqlite3.DatabaseError:
        return
    with closing(index):
        number, seen = index.head()
    if number and (len(events) < number or events[number - 1].hash != seen):
        what = _("the index has seen an event number {number} that is gone or was changed")
        fix = _("restore the file from a copy; to go on without it, remove {index} first")
        fix = fix.format(index=registry.folder / registry_index.NAME)
        yield Problem(status_log.NAME, what.format(number=number), fix)


def _make_anew(registry: Registry, events: Sequence[Event]) -> None:
    path = registry.folder / registry_index.NAME
    for name in (path.name, f"{path.name}-journal"):
        path.with_name(name).unlink(missing_ok=True)
    with closing(Index.opened(path)) as index:
        index.add(events)


def _index_faults(registry: Registry, right: Index) -> Iterator[Problem]:
    """Whether the index says what the events say; one that has not seen the last ones does."""
    try:
        with registry.index() as index:
            is_same = index.dump() == right.dump()
    except FoundryError as error:
        yield from error.problems
        return
    if not is_same:
        what, fix = _("says something else than the events"), "foundry registry check --repair"
        yield Problem(registry_index.NAME, what, fix)


def _package_faults(
    registry: Registry, package: Published, files: dict[str, bool]
) -> Iterator[Problem]:
    """Files of a package that are missing or damaged.

    Args:
        registry: Where it is.
        package: The package.
        files: By hash, whether a file is intact; takes in those of this package.
    """
    who = f"{package.name}@{package.version}"

    def is_intact(digest: str) -> bool:
        if digest not in files:
            files[digest] = registry.objects.is_intact(digest)
        return files[digest]

    if not is_intact(package.manifest):
        yield _damaged(who, sums.NAME)
        return
    listed = sums.parse(registry.objects.path(package.manifest).read_bytes()).hashes
    own = {} if package.signature is None else {signature.NAME: package.signature}
    for name, digest in {**listed, **own}.items():
        if not is_intact(digest):
            yield _damaged(who, name)


def _damaged(who: str, name: str) -> Problem:
    what = _("{name} is missing or damaged").format(name=name)
    return Problem(who, what, _("publish the same package again, which mends it"))


def _sweep(registry: Registry, unused: set[str]) -> None:
    """Remove what a publisher that broke off has left."""
    for digest in unused:
        registry.objects.remove(digest)
    atomic.remove(registry.objects.folder / UNFINISHED)
