"""Stream events to a program: one JSON object per line on stdout, and nothing else there.

A program that reads slowly, or not at all, must not hold up the run, so a thread does the writing
and events wait for it in a queue of bounded length.
"""

import os
import queue
import sys
import threading
import time
from contextlib import suppress
from io import UnsupportedOperation
from typing import TextIO

from foundry.cli import output
from foundry.core.events import Event, Listener, as_line

MOST_WAITING = 10_000  # lines, some 3 MB; those that find no place are lost but for the last one
LAST_S = 5.0  # how long the end of the program waits for a reader that is behind
LAST = "done"


def ndjson() -> Listener:
    """A listener that writes to what is stdout now; a reader that has gone is written to no more.

    ASCII where stdout is not UTF-8, so that a console of another code page does not spoil it.
    """
    stdout = sys.stdout
    is_utf8 = output.is_utf8(stdout)
    put = _sender(stdout)

    def write(event: Event) -> None:
        put(as_line(event, ascii_only=not is_utf8) + "\n", is_last=event["event"] == LAST)

    return write


class _Sender:
    """Writes lines to a file descriptor from a thread of its own, past every buffer of Python's:
    one that waits in a buffer would be waited for again when the program ends."""

    def __init__(self, descriptor: int, encoding: str) -> None:
        self.descriptor, self.encoding = descriptor, encoding
        self.lines: queue.Queue[str] = queue.Queue(MOST_WAITING)
        threading.Thread(target=self._write, daemon=True).start()

    def __call__(self, line: str, *, is_last: bool) -> None:
        with suppress(queue.Full):
            self.lines.put(line, timeout=LAST_S if is_last else 0.0)
        end = time.monotonic() + LAST_S
        while is_last and self.lines.unfinished_tasks and time.monotonic() < end:
            time.sleep(0.001)

    def _write(self) -> None:
        is_open = True
        while True:
            content = self.lines.get().encode(self.encoding, "backslashreplace")
            try:
                while is_open and content:
                    content = content[os.write(self.descriptor, content) :]
            except OSError:
                is_open = False
            self.lines.task_done()


class _Direct:
    """Writes lines to a stream that is no file, such as one put in the place of stdout."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def __call__(self, line: str, *, is_last: bool) -> None:
        with suppress(OSError):
            self.stream.write(line)
            self.stream.flush()


def _sender(stdout: TextIO) -> _Sender | _Direct:
    try:
        descriptor = stdout.fileno()
    except (OSError, ValueError, UnsupportedOperation):
        return _Direct(stdout)
    return _Sender(descriptor, stdout.encoding or "utf-8")
