"""One stream of progress events, written to the run's log and shown by whoever listens.

An event is a flat JSON object, `{"v": 1, "n": 7, "t": "...Z", "run": "tiny-1a2b3c4d", "stage":
"train", "event": "step", ...}`. `n` counts from 1 in one process and gives the order; `run` is null
until the run is known; durations use a monotonic clock, and `t` is wall-clock time, for display.
The last event of `--events`, and no other, is `done`, with the exit code: `{..., "stage": null,
"event": "done", "exit": 0}`.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from foundry.core import atomic, secrets
from foundry.core.moment import utc

VERSION = 1
HEAD = ("v", "n", "t", "run", "stage", "event")

Event = dict[str, Any]
Listener = Callable[[Event], None]


@dataclass
class Events:
    """Hands each event to every listener. A listener deals with its own faults: none may stop
    the work."""

    listeners: list[Listener] = field(default_factory=list)
    run: str | None = None
    _sequence: int = 0

    def emit(self, stage: str | None, event: str, **values: Any) -> None:
        """Send one event; `values` must be JSON values and bear no name of `HEAD`."""
        self._sequence += 1
        head = (VERSION, self._sequence, utc(time.time()), self.run, stage, event)
        record = dict(zip(HEAD, head, strict=True))
        if not record.keys().isdisjoint(values):
            raise ValueError(f"an event's own values bear a name of its head: {sorted(values)}")
        for listener in self.listeners:
            listener({**record, **values})

    @contextmanager
    def heard_by(self, listener: Listener) -> Iterator[None]:
        """Let `listener` hear, before the others, what happens in the block."""
        self.listeners.insert(0, listener)
        try:
            yield
        finally:
            self.listeners.remove(listener)


def to_file(path: Path) -> Listener:
    """A listener that adds a JSON line per event to a file; a full disk stops no work."""

    def write(event: Event) -> None:
        with suppress(OSError):
            atomic.add_line(path, as_line(event))

    return write


def as_line(event: Event, *, ascii_only: bool = False) -> str:
    """The event as strict JSON on one line, without tokens (C78)."""
    return json.dumps(secrets.mask_all(event), ensure_ascii=ascii_only, allow_nan=False)
