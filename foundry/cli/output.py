"""How verbs print: data on stdout, everything else on stderr, one JSON document with `--json`."""

import json
import os
import sys
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from io import TextIOWrapper, UnsupportedOperation
from typing import Annotated, Any

import typer

from foundry.core import secrets
from foundry.core.errors import FoundryError
from foundry.core.language import gettext as _

Json = Annotated[bool, typer.Option("--json", help=_("Print one JSON document."))]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help=_("Override a value, such as train.max_steps=5.")
    ),
]


def verb_app(help: str) -> typer.Typer:
    """The Typer object of a verb; `foundry VERB` alone prints its help."""
    return typer.Typer(help=help, rich_markup_mode=None, add_completion=False)


def print_json(value: Any) -> None:
    """Print one strict JSON document on stdout, never a token (C78).

    ASCII where the terminal is not UTF-8.
    """
    is_utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    print(json.dumps(_masked(value), ensure_ascii=not is_utf8, indent=2, allow_nan=False))


def print_error(error: FoundryError, *, as_json: bool) -> None:
    """Tell a person on stderr, or a program on stdout, what went wrong; never a token (C78)."""
    if as_json:
        print_json(error.as_dict())
    else:
        print(secrets.mask(str(error)), file=sys.stderr)


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return secrets.mask(value)
    if isinstance(value, dict):
        return {key: _masked(inner) for key, inner in value.items()}
    return [_masked(inner) for inner in value] if isinstance(value, list | tuple) else value


def note(message: str) -> None:
    """Print a line for people on stderr."""
    print(message, file=sys.stderr)


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
    """Let a console that lacks a character, such as cp950, print its code instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def silence_stdout() -> None:
    """Send the rest of stdout nowhere: its reader has gone, as in `foundry ... | head`."""
    with suppress(OSError, ValueError, UnsupportedOperation):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
