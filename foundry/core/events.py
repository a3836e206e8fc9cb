"""One stream of progress events, written to the run's log and shown by whoever listens.

An event is a flat JSON object: `{"v": 1, "t": "...Z", "stage": "train", "event": "step", ...}`.
Durations use a monotonic clock; `t` is wall-clock time and only for display.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TextIO

Event = dict[str, Any]
Listener = Callable[[Event], None]


@dataclass
class Events:
    """Hands each event to every listener; a listener that fails must not stop the work."""

    listeners: list[Listener] = field(default_factory=list)
    _sequence: int = 0

    def emit(self, stage: str, event: str, **values: Any) -> None:
        """Send one event; `values` must be JSON values."""
        self._sequence += 1
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        record = {"v": 1, "n": self._sequence, "t": now, "stage": stage, "event": event, **values}
        for listener in self.listeners:
            listener(record)


def to_stream(stream: TextIO) -> Listener:
    """A listener that writes one JSON line per event and flushes it."""

    def write(event: Event) -> None:
        stream.write(json.dumps(event, ensure_ascii=False) + "\n")
        stream.flush()

    return write
