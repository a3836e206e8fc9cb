"""Which kind of source a file is: its content decides, its name only where that cannot (C54)."""

import re
from pathlib import Path
from types import ModuleType

from foundry.core import plugins
from foundry.core.errors import DataError, Problem
from foundry.core.language import gettext as _
from foundry.data import signatures
from foundry.data.sources import csv, squad

HEAD_BYTES = 4096
# Rows in JSON begin so; a text that begins with a bracket, such as `[1] a note`, does not.
JSON = re.compile(rb"\s*(\{\s*[\"}]|\[\s*[{\]])")
KEY = re.compile(rb'"(\w+)"\s*:')
SQUAD = {b"data", b"paragraphs"}
WEB_PAGE = re.compile(rb"\s*<(!doctype html|html|head|table|\?xml)", re.IGNORECASE)
MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


def kind_of(path: Path) -> str:
    """The kind of source that reads `path`.

    Raises:
        DataError: It is of a kind that none reads, or cannot be told.
    """
    name = signatures.signature(path)
    if name in signatures.READ:
        return name
    if name is not None:
        raise DataError(signatures.refusal(path, name))
    head = _head(path)
    named = by_suffix().get(path.suffix.lower())
    if JSON.match(head):
        if set(KEY.findall(head)) >= SQUAD and squad.is_squad(path):
            return "squad"
        return named if named == "jsonl" else "json"
    if named is not None and named not in signatures.READ:
        return named
    if WEB_PAGE.match(head):
        what = _("the file is a web page or another XML document, whatever its name says")
        fix = _("open it in the program that wrote it, and save it as .xlsx, .csv or .txt")
        raise DataError(Problem(str(path), what, fix))
    if csv.is_table(path):
        return "csv"
    raise DataError(_untold(path))


def _head(path: Path) -> bytes:
    """The first bytes as ASCII text would have them: without marks, and the NULs of UTF-16."""
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    while head.startswith(MARKS):
        head = head[3 if head.startswith(MARKS[0]) else 2 :]
    return head.replace(b"\0", b"")


def by_suffix() -> dict[str, str]:
    """The kind of source that reads the files of each suffix, such as `.csv`."""
    return {suffix: kind for kind in plugins.names("source") for suffix in _suffixes(kind)}


def _suffixes(kind: str) -> tuple[str, ...]:
    source: ModuleType = plugins.load("source", kind)
    suffixes: tuple[str, ...] = source.SUFFIXES
    return suffixes


def _untold(path: Path) -> Problem:
    what = _("is text of a kind that neither its content nor its suffix tells; known are: {known}")
    fix = _("say how to read it, `read: {{kind: …}}` with one of {kinds}")
    known = {suffix: k for suffix, k in by_suffix().items() if k not in signatures.READ}
    return Problem(
        str(path),
        what.format(known=", ".join(known)),
        fix.format(kinds=", ".join(sorted(set(known.values())))),
    )
