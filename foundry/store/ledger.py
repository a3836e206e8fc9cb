"""The ledger of a folder of runs: what every training took, also what was interrupted or failed.

`ledger.jsonl` is only ever added to, and no run's removal touches it. Each time a training is begun
is a session; it writes what it has taken so far at every checkpoint, once a minute, and at its end,
so that a kill loses a minute at most. The last line of a session counts. Steps that are done again
after a kill were done twice and count twice.
"""

import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from foundry.core import atomic
from foundry.core.energy import Meter
from foundry.core.errors import InterruptedRun, Terminated
from foundry.core.events import Event, Events, as_line
from foundry.core.moment import utc
from foundry.core.records import Record
from foundry.store.runs import Json, read_lines

NAME = "ledger.jsonl"
VERSION = 1
WRITE_EVERY_S = 60.0
JOULES_PER_KWH = 3.6e6
FLOPS_PER_PFLOP_DAY = 1e15 * 86_400
AMOUNTS = ("seconds", "steps", "tokens", "supervised_tokens", "flops", "kwh", "twd")


@dataclass(frozen=True)
class Charges(Record):
    """What a training is charged by; None where it is not known.

    Attributes:
        flops_per_token: Floating-point operations for each token, the head left out.
        flops_per_target: Those of the head, for each supervised token.
        watts: The assumed draw of the machine, for where no meter is.
        watts_from: Where the assumption is from.
        is_metered: Whether the processors' own meter says what the training draws, as it does not
            where an accelerator trains.
        twd_per_kwh: NT$ for a kWh.
        price_from: Where the price is from.
        twd_per_hour: NT$ for an hour of such a machine, where it is rented out.
        rent_from: Where that price is from.
        share: Of the machine's draw and rent, above 0 to 1: less than 1 where others train on it
            at the same time, as `foundry study run --at-once` lets them.
    """

    flops_per_token: float | None = None
    flops_per_target: float | None = None
    watts: float | None = None
    watts_from: str = ""
    is_metered: bool = True
    twd_per_kwh: float | None = None
    price_from: str = ""
    twd_per_hour: float | None = None
    rent_from: str = ""
    share: float = 1.0

    def joules(self, metered: float | None, seconds: float | None) -> tuple[float | None, bool]:
        """What was drawn in so many seconds, and whether that is what the meter said."""
        if self.is_metered and metered is not None:
            return metered * self.share, True
        if self.watts is None or seconds is None:
            return None, False
        return self.watts * seconds * self.share, False


@dataclass
class Session:
    """A listener that keeps count of one training."""

    path: Path
    run: str
    charges: Charges
    meter: Meter
    clock: Callable[[], float]
    id: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    before: tuple[int, int, int] = (0, 0, 0)
    now: tuple[int, int, int] = (0, 0, 0)

    def __post_init__(self) -> None:
        self.started = self.written = self.clock()

    def hear(self, event: Event) -> None:
        """Count a step; write at a checkpoint, and once a minute."""
        if event["stage"] != "train":
            return
        if event["event"] in ("resume", "step"):
            self.now = (event["step"], event["tokens"], event["supervised_tokens"])
        if event["event"] == "resume":
            self.before = self.now
        if event["event"] == "checkpoint" or self.clock() - self.written >= WRITE_EVERY_S:
            self.write("running")

    def write(self, outcome: str) -> None:
        """Add a line; a ledger that cannot be written stops no training."""
        self.written = self.clock()
        with suppress(OSError):
            atomic.add_line(self.path, as_line(self._line(outcome)), durable=True)

    def _line(self, outcome: str) -> Json:
        steps, tokens, targets = (b - a for a, b in zip(self.before, self.now, strict=True))
        seconds, charges = round(self.written - self.started, 3), self.charges
        joules, is_metered = charges.joules(self.meter.joules(), seconds)
        kwh = _times(joules, 1 / JOULES_PER_KWH)
        body = _times(charges.flops_per_token, tokens)
        head = _times(charges.flops_per_target, targets)
        return {
            "v": VERSION,
            "t": utc(time.time()),
            "run": self.run,
            "session": self.id,
            "outcome": outcome,
            "seconds": seconds,
            "steps": steps,
            "tokens": tokens,
            "supervised_tokens": targets,
            "flops": None if body is None or head is None else body + head,
            "kwh": kwh,
            "kwh_from": "meter" if is_metered else charges.watts_from,
            "share": charges.share,
            "twd": _times(kwh, charges.twd_per_kwh),
            "twd_from": charges.price_from,
        }


@contextmanager
def recorded(
    folder: Path,
    run: str,
    charges: Charges,
    events: Events,
    *,
    meter: Meter | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[None]:
    """Write what the training in the block takes into the ledger of `folder`."""
    session = Session(folder / NAME, run, charges, meter or Meter(), clock)
    with events.heard_by(session.hear):
        try:
            yield
        except (InterruptedRun, KeyboardInterrupt, Terminated):
            session.write("interrupted")
            raise
        except BaseException:
            session.write("failed")
            raise
    session.write("done")


def document(folder: Path) -> Json:
    """What `foundry run ledger --json` prints: what each run took, and all of them together."""
    path = folder / NAME
    by_run = _sessions(path)
    rows = [{"run": run, **_sum(sessions)} for run, sessions in by_run.items()]
    every = [line for sessions in by_run.values() for line in sessions]
    total = {"runs": len(rows), **_sum(every)}
    return {"path": str(path), "runs": rows, "total": total}


def of_run(folder: Path, run: str) -> Json | None:
    """What the sessions of one run took, and where energy and price are from; None without any."""
    sessions = _sessions(folder / NAME).get(run)
    if sessions is None:
        return None
    origins = {
        name: sorted({str(line[name]) for line in sessions if line.get(name)})
        for name in ("kwh_from", "twd_from")
    }
    return {**_sum(sessions), **origins}


def _sessions(path: Path) -> dict[str, list[Json]]:
    """The last line of each session, by run."""
    lines = {
        (line["run"], line["session"]): line
        for line in read_lines(path)
        if isinstance(line.get("run"), str) and isinstance(line.get("session"), str)
    }
    by_run = dict[str, list[Json]]()
    for (run, _session), line in lines.items():
        by_run.setdefault(run, []).append(line)
    return by_run


def _sum(sessions: Iterable[Json]) -> Json:
    """Each amount added up; a lower bound where some sessions, which are counted, do not know it.

    An amount that no session knows is None.
    """
    lines = list(sessions)
    made: dict[str, Any] = {"sessions": len(lines)}
    for name in AMOUNTS:
        known = [line[name] for line in lines if isinstance(line.get(name), int | float)]
        made[name] = sum(known) if known else None
        made["unknown"] = {**made.get("unknown", {}), name: len(lines) - len(known)}
    made["unknown"] = {name: count for name, count in made["unknown"].items() if count}
    made["pflop_days"] = _times(made["flops"], 1 / FLOPS_PER_PFLOP_DAY)
    return made


def _times(amount: float | None, rate: float | None) -> float | None:
    return None if amount is None or rate is None else amount * rate
