"""Stream events to a program: one JSON object per line on stdout, and nothing else there."""

import sys

from foundry.cli import output
from foundry.core.events import Event, Listener, as_line


def ndjson() -> Listener:
    """A listener that writes to what is stdout now; a reader that has gone is written to no more.

    ASCII where stdout is not UTF-8, so that a console of another code page does not spoil it.
    """
    stdout, is_open = sys.stdout, True
    is_utf8 = output.is_utf8(stdout)

    def write(event: Event) -> None:
        nonlocal is_open
        if not is_open:
            return
        try:
            stdout.write(as_line(event, ascii_only=not is_utf8) + "\n")
            stdout.flush()
        except OSError:
            is_open = False
            output.silence(stdout)

    return write
