"""Turn SIGTERM and Ctrl-C into a request that the training loop grants between two steps."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING

from foundry.core.errors import InterruptedByUser, InterruptedRun, Problem
from foundry.core.language import gettext as _

if TYPE_CHECKING:
    from foundry.train.processes.crew import Crew


@dataclass
class StopRequest:
    """Which signal asked to stop, or None."""

    signal_number: int | None = None

    def agree(self, crew: "Crew") -> None:
        """Let what one process was asked be asked of each; all must call."""
        asked = crew.heard(self.signal_number)
        self.signal_number = next((number for number in asked if number is not None), None)

    def interrupted(self, step: int, of: int) -> InterruptedRun:
        """The error to end with, after the state of `step` was saved."""
        what = _("stopped after step {step} of {of}; the state is saved")
        problem = Problem(
            "train", what.format(step=step, of=of), _("run the same command again to go on")
        )
        by_user = self.signal_number == signal.SIGINT
        return (InterruptedByUser if by_user else InterruptedRun)(problem)


@contextmanager
def stop_on_signals(heard: Callable[[], object] = lambda: None) -> Iterator[StopRequest]:
    """Catch SIGTERM and SIGINT; a second SIGINT interrupts at once.

    Args:
        heard: Called at each signal that does not interrupt.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    def handle(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT and request.signal_number == signal.SIGINT:
            raise KeyboardInterrupt
        if request.signal_number != signal.SIGINT:  # a study that was told too sends SIGTERM on
            request.signal_number = number
        heard()

    previous = {n: signal.signal(n, handle) for n in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield request
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
