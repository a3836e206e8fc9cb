"""How verbs print: data on stdout, everything else on stderr, one JSON document with `--json`."""

import json
import os
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from contextlib import suppress
from io import TextIOBase, TextIOWrapper, UnsupportedOperation
from typing import Annotated, Any, TextIO

import typer

from foundry.cli.rows import visible
from foundry.core import secrets
from foundry.core.errors import FoundryError, Problem, RecipeError
from foundry.core.language import gettext as _

Json = Annotated[bool, typer.Option("--json", help=_("Print one JSON document."))]
Streams = Annotated[
    bool,
    typer.Option("--events", help=_("Stream events on stdout as JSON lines; text goes to stderr.")),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help=_("Override a value, such as train.max_steps=5.")
    ),
]


def verb_app(help: str) -> typer.Typer:
    """The Typer object of a verb."""
    return typer.Typer(help=help, rich_markup_mode=None, add_completion=False)


def with_example(line: str, command: str) -> str:
    """The help of a command: one line, then an example that runs."""
    return f"{line}\n\n" + _("Example: {command}").format(command=f"foundry {command}")


def refuse_documents(given: Mapping[str, bool]) -> None:
    """Refuse options that print one document where stdout is a stream of events."""
    problems = [
        Problem(
            "--events",
            _("one document or a stream of events, not both on one output"),
            _("leave out `{option}`").format(option=option),
        )
        for option, is_given in given.items()
        if is_given
    ]
    if problems:
        raise RecipeError(problems)


def print_json(value: Any) -> None:
    """Print one strict JSON document on stdout, never a token (C78).

    ASCII where the terminal is not UTF-8.
    """
    only_ascii = not is_utf8(sys.stdout)
    value = secrets.mask_all(value)
    print(json.dumps(value, ensure_ascii=only_ascii, indent=2, allow_nan=False))


def is_utf8(stream: TextIO) -> bool:
    """Whether every character can be written to a stream."""
    return (stream.encoding or "").lower().replace("-", "") == "utf8"


def print_error(error: FoundryError, *, as_json: bool) -> None:
    """Tell a person on stderr, or a program on stdout, what went wrong; never a token (C78).

    Where stdout takes nothing any more, it is told on stderr. A name in it that a stranger gave a
    file cannot steer the terminal.
    """
    if as_json:
        try:
            print_json(error.as_dict())
            sys.stdout.flush()
        except OSError:
            silence(sys.stdout)
        else:
            return
    note(visible(secrets.mask(str(error))))


def note(message: str) -> None:
    """Print a line for people on stderr; where nobody reads them any more, nothing stops."""
    try:
        print(message, file=sys.stderr, flush=True)
    except OSError:
        silence(sys.stderr)


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print columns that line up; a Chinese character takes two places in a terminal."""
    table = [head, *rows]
    widths = [max(_width(row[i]) for row in table) for i in range(len(head))]
    for row in table:
        cells = [
            cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)
        ]
        print("  ".join(cells).rstrip())


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def make_streams_robust() -> None:
    """Let a console that lacks a character, such as cp950, print its code instead of failing.

    A stream that was closed from the start (`>&-`) goes nowhere; else the next file that is opened
    would take its number, and `print` would send what is for people to stdout.
    """
    if sys.stdout is None:
        sys.stdout = _nowhere(1)
    if sys.stderr is None:
        sys.stderr = _nowhere(2)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _nowhere(number: int) -> TextIO:
    descriptor = os.open(os.devnull, os.O_RDWR)
    if descriptor != number:
        os.dup2(descriptor, number)
        os.close(descriptor)
    return open(number, "w", encoding="utf-8", closefd=False)


class OnStderr(TextIOBase):
    """What a verb prints for people while stdout is a stream of events."""

    def write(self, text: str) -> int:
        """Write to stderr, as `note` does."""
        try:
            return sys.stderr.write(text)
        except OSError:
            silence(sys.stderr)
            return len(text)

    def flush(self) -> None:
        """Leave it to stderr, which writes each line at once."""


def silence(stream: TextIO) -> None:
    """Send the rest of a stream nowhere: its reader has gone, as in `foundry ... | head`."""
    with suppress(OSError, ValueError, UnsupportedOperation):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
