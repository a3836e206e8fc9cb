"""The processes that train for a study: one at a time, or one on each GPU."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from foundry.planning import accelerator

GPUS = "CUDA_VISIBLE_DEVICES"


@dataclass
class Crew:
    """What the runs of a study share in the process that starts them.

    Attributes:
        tell: Told of what begins or fails, in a line for people.
        devices: What each place for a run shows it in `CUDA_VISIBLE_DEVICES`; None as it is.
        preparing: Held by the one run that looks for prepared rows, or prepares them.
    """

    tell: Callable[[str], None]
    devices: tuple[str | None, ...] = (None,)
    preparing: threading.Lock = field(default_factory=threading.Lock)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _children: set[subprocess.Popen[bytes]] = field(default_factory=set)
    _is_stopped: bool = False

    def call(self, command: Sequence[str], device: str | None = None) -> int:
        """Run a command whose text goes to stderr; its exit code.

        Raises:
            KeyboardInterrupt: The study was stopped before it began.
        """
        shown = {} if device is None else {GPUS: device}
        with self._lock:
            if self._is_stopped:
                raise KeyboardInterrupt
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env={**os.environ, **shown},
            )
            self._children.add(child)
        try:
            return child.wait()
        finally:
            with self._lock:
                self._children.discard(child)

    def stop(self, *, is_told: bool) -> None:
        """Let nothing more begin; what runs is told to save its state and end.

        Args:
            is_told: The terminal has told the children too, as it does of Ctrl-C.
        """
        with self._lock:
            self._is_stopped = True
            for child in () if is_told else self._children:
                child.send_signal(signal.SIGTERM)


def gpus() -> tuple[str | None, ...]:
    """A place for each GPU that this process may use; a single one, as it is, where there is none.

    `CUDA_VISIBLE_DEVICES` is taken at its word where it is set. Torch counts the cards else, which
    it does without opening one.
    """
    if not accelerator.has_device() or accelerator.look().card is None:
        return (None,)
    listed = os.environ.get(GPUS)
    if listed is None:
        import torch

        listed = ",".join(str(number) for number in range(torch.cuda.device_count()))
    found = tuple(name.strip() for name in listed.split(",") if name.strip())
    return found or (None,)
