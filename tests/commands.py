"""The commands of `foundry` as declared: find them, parse a line without running it, run one."""

import os
import shlex
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from foundry.cli.main import VERBS, _app


def commands() -> Iterator[tuple[tuple[str, ...], Any]]:
    """Each command that does something, with the words that lead to it."""
    top = typer.main.get_command(_app())
    for verb in VERBS:
        command = top.get_command(None, verb)
        if isinstance(command, TyperGroup):
            yield from (((verb, name), command.commands[name]) for name in command.commands)
        else:
            yield (verb,), command


def parse(line: str) -> dict[str, Any]:
    """The values of a command line that begins with `foundry`; refuses what it does not know."""
    words = shlex.split(line.split(" > ")[0])
    known = dict(commands())
    path = next((p for p in (tuple(words[1:3]), tuple(words[1:2])) if p in known), None)
    assert words[0] == "foundry" and path is not None, f"no such command: {line}"
    return dict(known[path].make_context(path[-1], words[1 + len(path) :]).params)


@contextmanager
def running(words: Sequence[str | Path], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A process with a group of its own, of which nothing is left behind the block."""
    process = subprocess.Popen(words, text=True, start_new_session=True, **options)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
