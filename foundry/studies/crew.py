"""The processes that train for a study: one at a time, one on each GPU, or some on shared cores."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType

from foundry.core.environment import SHARE, cores
from foundry.core.errors import Problem, RecipeError
from foundry.core.language import gettext as _
from foundry.planning import accelerator

GPUS, THREADS = "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS"

Place = Mapping[str, str]  # environment variables of the runs that are trained there
ALONE: Place = MappingProxyType({})


@dataclass
class Crew:
    """What the runs of a study share in the process that starts them.

    Attributes:
        tell: Told of what begins or fails, in a line for people.
        places: Where runs are trained, one at a time in each.
        preparing: Held by the one run that looks for prepared rows, or prepares them.
    """

    tell: Callable[[str], None]
    places: tuple[Place, ...] = (ALONE,)
    preparing: threading.Lock = field(default_factory=threading.Lock)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _children: set[subprocess.Popen[bytes]] = field(default_factory=set)
    _is_stopped: bool = False

    def call(self, command: Sequence[str], place: Place = ALONE) -> int:
        """Run a command whose text goes to stderr; its exit code.

        Raises:
            KeyboardInterrupt: The study was stopped before it began.
        """
        with self._lock:
            if self._is_stopped:
                raise KeyboardInterrupt
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env={**os.environ, **place},
            )
            self._children.add(child)
        code = child.wait()  # what breaks it off leaves the child among those that `stop` tells
        with self._lock:
            self._children.discard(child)
        return code

    @property
    def is_stopped(self) -> bool:
        """Whether nothing more may begin."""
        return self._is_stopped

    def stop(self) -> None:
        """Let nothing more begin; what runs is told to save its state and end.

        Of Ctrl-C the terminal has told it too, which is no harm (`train/signals.py`).
        """
        with self._lock:
            self._is_stopped = True
            for child in self._children:
                child.send_signal(signal.SIGTERM)

    @contextmanager
    def stopped_with_this(self) -> Iterator[None]:
        """Where the block ends with an error or a signal, stop, and wait for what runs."""
        try:
            yield
        except BaseException:
            self.stop()
            for child in tuple(self._children):
                child.wait()
            raise


def gpus() -> tuple[Place, ...]:
    """A place for each GPU that this process may use; a single one, as it is, where there is none.

    `CUDA_VISIBLE_DEVICES` is taken at its word where it is set. Torch counts the cards else, which
    it does without opening one.
    """
    if not accelerator.has_device() or accelerator.look().card is None:
        return (ALONE,)
    listed = os.environ.get(GPUS)
    if listed is None:
        import torch

        listed = ",".join(str(number) for number in range(torch.cuda.device_count()))
    found = tuple({GPUS: name.strip()} for name in listed.split(",") if name.strip())
    return found or (ALONE,)


def shares(count: int) -> tuple[Place, ...]:
    """So many places on this machine's processor, each with its share of the cores.

    A small model does not make two cores twice as fast as one, so that two runs with a core each
    are done before two runs with both, one after the other (docs/performance.md).

    Raises:
        RecipeError: There are fewer cores, or there is a GPU.
    """
    if accelerator.has_device() and accelerator.look().card is not None:
        what, fix = _("runs share a processor, and this machine trains on a GPU"), "--parallel"
        raise RecipeError(Problem("--at-once", what, fix))
    if count > cores():
        what = _("there are {cores} cores for {count} runs").format(cores=cores(), count=count)
        raise RecipeError(Problem("--at-once", what, f"--at-once {cores()}"))
    return ({THREADS: str(cores() // count), SHARE: f"{1 / count:.6f}"},) * count
