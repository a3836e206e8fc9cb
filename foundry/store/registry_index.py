"""The registry's index: SQLite, made from its events, and made anew from them at any time.

Its journal is SQLite's rollback journal, never WAL: WAL needs shared memory, which processes on two
machines do not have (https://www.sqlite.org/wal.html), the mode is kept in the file, and a folder
that is local here may be a network share for someone else. Writers wait for each other.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from foundry.core.errors import Problem, ProofError
from foundry.core.fields import Closed, Many, Sha256
from foundry.core.language import gettext as _
from foundry.core.recipe import Words
from foundry.store.status_log import NAME as LOG
from foundry.store.status_log import Event

NAME = "index.sqlite"
WAIT_S = 30.0  # for another process; one that adds an event needs milliseconds
FIRST_STAGE = "candidate"
TABLES = """
CREATE TABLE IF NOT EXISTS event (
    number INTEGER PRIMARY KEY, hash TEXT NOT NULL, manifest TEXT NOT NULL, line TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS event_manifest ON event (manifest);
CREATE TABLE IF NOT EXISTS package (
    name TEXT NOT NULL, version TEXT NOT NULL, manifest TEXT NOT NULL, stage TEXT NOT NULL,
    number INTEGER NOT NULL, document TEXT NOT NULL, PRIMARY KEY (name, version));
"""


class Published(Closed):
    """A version of a package as the events leave it.

    `signature` is the hash of the package's own `signature.json`, if it has one. `retired`,
    `erased_subject` and `expired_data` are the reasons that were given, None where that did not
    happen.
    """

    name: Words
    version: Words
    manifest: Sha256
    stage: Words
    published_at: Words
    published_by: Words
    files: Annotated[int, Field(ge=0)]
    size_bytes: Annotated[int, Field(ge=0)]
    licences: Many[Words]
    base_model: Words
    override: Words | None
    signature: Sha256 | None
    retired: Words | None = None
    erased_subject: Words | None = None
    expired_data: Words | None = None


def after(package: Published | None, event: Event) -> Published:
    """What a version is after an event; None before its first, which is `published`.

    Raises:
        ProofError: The event says something else than its kind, or speaks of a version that was
            not published.
    """
    said = dict(event.details)
    if event.kind == "published":
        said |= {"name": event.name, "version": event.version, "manifest": event.manifest}
        said |= {"stage": FIRST_STAGE, "published_at": event.at, "published_by": event.by}
    elif package is None or package.manifest != event.manifest:
        what = _("speaks of {name}@{version}, which was not published")
        what = what.format(name=event.name, version=event.version)
        raise ProofError(Problem(f"{LOG}:{event.number}", what))
    else:
        key, told = _CHANGES[event.kind]
        said = {**package.model_dump(), key: said.get(told)}
    try:
        return Published.model_validate(said)
    except ValidationError as error:
        what = _("not an event in its form")
        raise ProofError(Problem(f"{LOG}:{event.number}", what)) from error


# What an event changes of a version, and under which name it says so.
_CHANGES = {
    "promoted": ("stage", "stage"),
    "retired": ("retired", "reason"),
    "erased-subject": ("erased_subject", "reason"),
    "expired-data": ("expired_data", "reason"),
}


@dataclass(frozen=True)
class Index:
    """An open index."""

    connection: sqlite3.Connection

    @classmethod
    def opened(cls, path: Path | None) -> "Index":
        """The index of a file, made where there is none; in memory where None.

        Raises:
            sqlite3.DatabaseError: It is no index; `OperationalError` where it cannot be written.
        """
        name = ":memory:" if path is None else str(path)
        connection = sqlite3.connect(name, timeout=WAIT_S, isolation_level=None)
        try:
            connection.executescript(f"PRAGMA synchronous=FULL; {TABLES}")
        except BaseException:
            connection.close()
            raise
        return cls(connection)

    def close(self) -> None:
        """Let go of the file."""
        self.connection.close()

    def head(self) -> tuple[int, str | None]:
        """Number and hash of the last event that it has seen; 0 and None before the first."""
        query = "SELECT number, hash FROM event ORDER BY number DESC LIMIT 1"
        found = self.connection.execute(query).fetchone()
        return (0, None) if found is None else (found[0], found[1])

    def add(self, events: Sequence[Event]) -> None:
        """Take in those of all events that it has not seen, whole or not at all."""
        with self._writing():
            number, _hash = self.head()
            for event in events:
                if event.number > number:
                    self._add(event)

    def _add(self, event: Event) -> None:
        package = after(self.package(event.name, event.version), event)
        self.connection.execute(
            "INSERT INTO event VALUES (?, ?, ?, ?)",
            (event.number, event.hash, event.manifest, event.line()),
        )
        document = package.model_dump_json()
        self.connection.execute(
            "INSERT INTO package VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (name, version) "
            "DO UPDATE SET stage = excluded.stage, document = excluded.document",
            (*(event.name, event.version), package.manifest, package.stage, event.number, document),
        )

    @contextmanager
    def _writing(self) -> Iterator[None]:
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    def package(self, name: str, version: str) -> Published | None:
        """A version, None where it was never published."""
        query = "SELECT document FROM package WHERE name = ? AND version = ?"
        found = self.connection.execute(query, (name, version)).fetchone()
        return None if found is None else Published.model_validate_json(found[0])

    def packages(self, name: str | None = None) -> list[Published]:
        """Every version, or those of a name, in the order in which they were published."""
        query = "SELECT document FROM package WHERE name = ? OR ? IS NULL ORDER BY number"
        rows = self.connection.execute(query, (name, name)).fetchall()
        return [Published.model_validate_json(row[0]) for row in rows]

    def events(self, manifest: str) -> list[Event]:
        """What happened to all versions with this list of files, oldest first."""
        query = "SELECT line FROM event WHERE manifest = ? ORDER BY number"
        rows = self.connection.execute(query, (manifest,)).fetchall()
        return [Event.model_validate(json.loads(row[0])) for row in rows]

    def dump(self) -> list[tuple[object, ...]]:
        """All that it holds, to compare with another."""
        tables = ("SELECT * FROM event ORDER BY 1", "SELECT * FROM package ORDER BY 1, 2")
        return [row for query in tables for row in self.connection.execute(query)]
