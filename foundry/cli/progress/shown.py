"""Choose how a person sees the event stream: a bar on a terminal, plain lines elsewhere."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from foundry.cli.progress.bar import bar
from foundry.cli.progress.lines import lines
from foundry.core.events import Listener


@contextmanager
def shown() -> Iterator[Listener]:
    """A listener for `Events` that writes to stderr until the block ends."""
    if takes_control_codes():
        with bar() as listener:
            yield listener
    else:
        yield lines()


def takes_control_codes() -> bool:
    """Whether stderr is a terminal that moves its cursor, and nobody asked for plain text.

    `NO_COLOR` (no-color.org) asks for no colour; a bar without any still moves the cursor, which
    those who set it for a log or a screen reader do not want either.
    """
    is_plain = os.environ.get("TERM", "") in ("", "dumb", "unknown") and sys.platform != "win32"
    return sys.stderr.isatty() and not is_plain and not os.environ.get("NO_COLOR")
