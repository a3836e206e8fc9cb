"""Where a file stops being text in an encoding, and how that is told."""

import codecs
from pathlib import Path

from foundry.core.errors import Place, Problem
from foundry.core.language import gettext as _

CHUNK_BYTES = 1 << 20


def first_fault(path: Path, encoding: str) -> tuple[int, int] | None:
    """Byte offset from 0 and line from 1 of what `encoding` cannot read first, or None.

    Reads the file in pieces of 1 MiB.
    """
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    done, line = 0, 1
    with path.open("rb") as stream:
        while True:
            chunk = stream.read(CHUNK_BYTES)
            done += len(chunk)
            try:
                line += decoder.decode(chunk, final=not chunk).count("\n")
            except UnicodeDecodeError as error:
                line += error.object[: error.start].decode(error.encoding, "replace").count("\n")
                return done - len(error.object) + error.start, line
            if not chunk:
                return None


def reads(path: Path, encoding: str) -> bool:
    """Whether every byte of the file fits the encoding."""
    return first_fault(path, encoding) is None


def misfit(path: Path, fault: tuple[int, int], what: str, fix: str) -> Problem:
    """The problem at `fault`; `what` may have `{offset}` and `{byte}` in it."""
    offset, line = fault
    with path.open("rb") as stream:
        stream.seek(offset)
        byte = stream.read(1).hex().upper()
    what = what.replace("{offset}", str(offset)).replace("{byte}", byte)
    return Problem(str(Place(str(path), line)), what, fix)


def say_which(kind: str, example: str = "cp950") -> str:
    """The fix for a file whose encoding cannot be told: the edit of the recipe."""
    fix = _(
        "say which it is, `read: {{kind: {kind}, encoding: {example}}}`, or save it as UTF-8 "
        "(in Excel: Save As, CSV UTF-8)"
    )
    return fix.format(kind=kind, example=example)
