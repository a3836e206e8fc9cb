"""A registry: published packages that never change, and what happened to them, in any folder.

    registry.json    which registry this is
    objects/         every file of every package, by its hash
    events.jsonl     what was published, promoted, retired; signed, each bound to the one before
    index.sqlite     the same for questions; made anew from the events

An event is the last thing that is written: what breaks off before it has published nothing.
"""

import json
import sqlite3
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from foundry.core import atomic
from foundry.core.errors import DataError, LockedError, Problem, ProofError, ResourceError
from foundry.core.language import gettext as _
from foundry.store import registry_index
from foundry.store.keys import PrivateKey
from foundry.store.objects import Objects
from foundry.store.registry_index import Index, Published
from foundry.store.status_log import NAME as EVENTS
from foundry.store.status_log import Kind, StatusLog, Subject

MARK = "registry.json"
LOCK = ".lock"
LOCK_S = 120.0  # a publisher holds it while it writes one event
# A package's way: ours, after the stages that MLflow's registry had (staging, production).
STAGES = (registry_index.FIRST_STAGE, "staging", "production")


@dataclass(frozen=True)
class Registry:
    """The registry of a folder."""

    folder: Path
    objects: Objects
    log: StatusLog

    @classmethod
    def at(cls, folder: Path) -> "Registry":
        """The registry that a folder holds.

        Raises:
            ResourceError: It holds none.
            ProofError: Its mark cannot be read.
        """
        mark = folder / MARK
        if not mark.is_file():
            what, fix = _("no registry here"), _("name one with `--registry DIR`")
            raise ResourceError(Problem(str(folder), what, fix))
        try:
            content = mark.read_bytes()
            json.loads(content)["id"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            what = _("cannot be read ({error})").format(error=error)
            raise ProofError(Problem(str(mark), what, _("restore it from a copy"))) from error
        log = StatusLog(folder / EVENTS, atomic.sha256(mark))
        return cls(folder, Objects(folder / "objects"), log)

    @classmethod
    def made_at(cls, folder: Path) -> "Registry":
        """The registry of a folder, made where the folder is empty or not there.

        Raises:
            DataError: The folder holds other things.
            ResourceError: It cannot be written.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            names = {path.name for path in folder.iterdir()}
            if MARK in names:
                return cls.at(folder)
            # Another process may be about to make it.
            if [name for name in names if name != LOCK and not name.startswith(f".{MARK}.")]:
                what, fix = _("holds other things and is no registry"), _("name an empty folder")
                raise DataError(Problem(str(folder), what, fix))
            with locked(folder):
                if not (folder / MARK).is_file():
                    atomic.write_json(folder / MARK, {"v": 1, "id": uuid.uuid4().hex})
        except OSError as error:
            what = _("cannot be written ({error})").format(error=error.strerror)
            raise ResourceError(Problem(str(folder), what)) from error
        return cls.at(folder)

    @contextmanager
    def index(self) -> Iterator[Index]:
        """The index, having seen every event.

        In memory where the folder cannot be written to.

        Raises:
            ProofError: The events are not in order, or some that it has seen are gone.
        """
        index = self._index()
        try:
            yield index
        finally:
            index.close()

    def _index(self) -> Index:
        try:
            index = Index.opened(self.folder / registry_index.NAME)
            try:
                self._catch_up(index)
            except BaseException:
                index.close()
                raise
        except sqlite3.OperationalError:  # the folder is not ours to write, or SQLite fails on it
            index = Index.opened(None)
            index.add(self.log.read())
        except sqlite3.DatabaseError as error:
            what = _("the index cannot be read ({error})").format(error=error)
            fix = _("make it anew: `foundry registry check --repair`")
            raise ProofError(Problem(registry_index.NAME, what, fix)) from error
        return index

    def _catch_up(self, index: Index) -> None:
        number, seen = index.head()
        if self.log.head() == (seen or self.log.origin):
            return
        events = self.log.read()
        if number and (len(events) < number or events[number - 1].hash != seen):
            what = _("events that the index has seen are gone or were changed")
            fix = _("restore the file from a copy; `foundry registry check` says more")
            raise ProofError(Problem(EVENTS, what, fix))
        index.add(events)

    def add(
        self,
        kind: Kind,
        subject: Subject,
        details: Mapping[str, Any],
        key: PrivateKey,
        *,
        check: Callable[[Published | None], bool],
    ) -> Published:
        """Write an event, if `check` agrees when nobody else can write.

        Args:
            kind: What happens.
            subject: To what.
            details: What else is to be said.
            key: Who says so.
            check: Told what the version is by now (None: not published), whether the event is to
                be written; it raises what it refuses.

        Returns:
            What the version is afterwards.
        """
        with locked(self.folder), self.index() as index:
            before = index.package(subject.name, subject.version)
            if not check(before):
                assert before is not None
                return before
            number, seen = index.head()
            last = (number, seen or self.log.origin)
            event = self.log.append(kind, subject, details, key, last)
            with suppress(sqlite3.OperationalError):  # it is made anew from the events
                index.add([event])
            return registry_index.after(before, event)

    def find(self, name: str, version: str | None) -> Published:
        """A version of a package; the one published last that is not retired where None.

        Raises:
            ResourceError: There is none; names those there are.
        """
        with self.index() as index:
            versions = index.packages(name)
            names = sorted({package.name for package in index.packages()})
        chosen = [
            p for p in versions if p.version == version or (version is None and not p.retired)
        ]
        if chosen:
            return chosen[-1]
        known = [f"{p.name}@{p.version}" for p in versions] or names
        fix = _("use one of: {names}").format(names=", ".join(known)) if known else None
        asked = name if version is None else f"{name}@{version}"
        what = _("not in the registry {folder}").format(folder=self.folder)
        raise ResourceError(Problem(asked, what, fix))


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a registry's folder, so that nobody else writes an event.

    Raises:
        LockedError: Another process held it for two minutes.
    """
    lock = FileLock(folder / LOCK, timeout=LOCK_S)
    try:
        lock.acquire()
    except Timeout as error:
        what = _("another process writes to this registry")
        raise LockedError(Problem(str(folder), what, _("try again later"))) from error
    except OSError as error:
        what = _("cannot be written ({error})").format(error=error.strerror)
        raise ResourceError(Problem(str(folder), what)) from error
    try:
        yield
    finally:
        lock.release()
