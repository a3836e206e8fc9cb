"""Show events as plain lines: each that says something, and a step now and then."""

import time
from collections.abc import Callable

from foundry.cli.output import note
from foundry.cli.progress.sentences import is_last, is_step, sentence
from foundry.core.events import Event, Listener

STEP_EVERY_S = 10.0


def lines(clock: Callable[[], float] = time.monotonic) -> Listener:
    """A listener that writes to stderr; of steps one in `STEP_EVERY_S`, the first and the last."""
    next_step = clock()

    def show(event: Event) -> None:
        nonlocal next_step
        text = sentence(event)
        if text is None:
            return
        if is_step(event):
            if clock() < next_step and not is_last(event):
                return
            next_step = clock() + STEP_EVERY_S
        note(text)

    return show
