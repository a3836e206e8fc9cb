"""What happens to published packages: lines that are signed, each with the hash of the one before.

A line that was changed, taken out or put in between is found by its neighbours; one that somebody
else wrote, by its key. Whoever cuts lines off the end, or writes the whole file anew with a key of
their own, is found by what the index has seen, by the hash of a line that someone noted
(`registry check --head`) and by the keys that may sign (`registry check --key`).
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from foundry.core import atomic
from foundry.core.errors import Problem, ProofError
from foundry.core.fields import Closed, Sha256
from foundry.core.language import gettext as _
from foundry.core.moment import now
from foundry.core.recipe import Words
from foundry.store.keys import PrivateKey, PublicKey

NAME = "events.jsonl"
# Keeps what is signed here from being read as a signature of anything else.
CONTEXT = b"AI Foundry registry event, version 1\n"
Kind = Literal["published", "promoted", "retired", "erased-subject", "expired-data"]


class Event(Closed):
    """A line; all but `signature` is signed.

    `manifest` is the hash of the package's list of files; `previous` that of the line before.
    """

    v: Literal[1]
    number: Annotated[int, Field(ge=1)]
    kind: Kind
    name: Words
    version: Words
    manifest: Sha256
    at: Words
    by: Words
    details: Mapping[str, Any]
    previous: Sha256
    signature: Words

    def message(self) -> bytes:
        """The bytes that are signed."""
        return _message(self.model_dump(exclude={"signature"}))

    def line(self) -> str:
        """The line as it is written, without its end."""
        return atomic.CANONICAL.encode(self.model_dump())

    @property
    def hash(self) -> str:
        """Hex SHA-256 of the line."""
        return hashlib.sha256(self.line().encode("utf-8")).hexdigest()


def _message(values: Mapping[str, Any]) -> bytes:
    return CONTEXT + atomic.CANONICAL.encode(values).encode("utf-8")


@dataclass(frozen=True)
class Subject:
    """What an event is of."""

    name: str
    version: str
    manifest: str


@dataclass(frozen=True)
class StatusLog:
    """The file of the lines; `origin` stands before the first one, so that it is of one registry.

    Whoever appends holds the registry's lock.
    """

    path: Path
    origin: str

    def head(self) -> str:
        """The hash of the last whole line, read without the others; `origin` where there is none.

        What a power cut left of a line is no line.
        """
        end = atomic.whole_lines(self.path)
        if end == 0:
            return self.origin
        with self.path.open("rb") as stream:
            content = stream.read(end)
        last = content[:-1].rpartition(b"\n")[2]
        return hashlib.sha256(last).hexdigest()

    def read(self) -> list[Event]:
        """Every event, checked.

        Raises:
            ProofError: Names each line that is not in order.
        """
        events, problems, previous = [], list[Problem](), self.origin
        for number, line in enumerate(self._lines(), start=1):
            try:
                event = _parsed(line)
            except ValueError:
                problems.append(self._problem(number, _("not an event in its form")))
                previous = hashlib.sha256(line).hexdigest()
                continue
            problems += self._faults(event, number, previous)
            previous = event.hash
            events.append(event)
        if problems:
            raise ProofError(problems)
        return events

    def append(
        self,
        kind: Kind,
        subject: Subject,
        details: Mapping[str, Any],
        key: PrivateKey,
        after: tuple[int, str],
    ) -> Event:
        """Sign an event and write it; it is on the disk when this returns.

        Args:
            kind: What happened.
            subject: To which package.
            details: What else is to be said, as JSON.
            key: Who says so.
            after: Number and hash of the last event; 0 and `origin` where there is none.
        """
        number, previous = after
        values: dict[str, Any] = {
            "v": 1,
            "number": number + 1,
            "kind": kind,
            "name": subject.name,
            "version": subject.version,
            "manifest": subject.manifest,
            "at": now(),
            "by": key.public.text,
            "details": dict(details),
            "previous": previous,
        }
        event = Event(**values, signature=key.sign(_message(values)))
        atomic.append_line(self.path, event.line())
        return event

    def _lines(self) -> list[bytes]:
        end = atomic.whole_lines(self.path)
        if end == 0:
            return []
        with self.path.open("rb") as stream:
            return stream.read(end)[:-1].split(b"\n")

    def _faults(self, event: Event, number: int, previous: str) -> list[Problem]:
        found = []
        if event.number != number or event.previous != previous:
            found.append(_("does not follow the line before it: lines were changed, put or taken"))
        if not _is_signed(event):
            found.append(_("not signed by the key that it names: it was changed"))
        return [self._problem(number, what) for what in found]

    def _problem(self, number: int, what: str) -> Problem:
        return Problem(f"{self.path.name}:{number}", what, _("restore the file from a copy"))


def _parsed(line: bytes) -> Event:
    """An event in the form that it is written in, byte by byte.

    Raises:
        ValueError: It is none.
    """
    try:
        event = Event.model_validate(json.loads(line))
    except (ValidationError, RecursionError) as error:
        raise ValueError from error
    if event.line().encode("utf-8") != line:
        raise ValueError
    return event


def _is_signed(event: Event) -> bool:
    try:
        return PublicKey.of_text(event.by).has_signed(event.message(), event.signature)
    except ValueError:
        return False
