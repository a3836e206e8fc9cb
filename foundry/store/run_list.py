"""A line for each run of a folder: what it trains, how far it came, what it cost."""

from dataclasses import dataclass
from pathlib import Path

from foundry.core.records import Record
from foundry.store.run_state import State, state
from foundry.store.runs import Run, at, find, number


@dataclass(frozen=True)
class Overview(Record):
    """A run in short; None where a run did not come to it.

    Attributes:
        steps: Optimizer steps done.
        of: Optimizer steps planned.
        loss: Of the last step, in nats per token.
        seconds: Of all stages that are finished.
        date: When it last did something, wall-clock time, UTC.
    """

    name: str
    state: State
    base: str | None
    adapter: str | None
    trainer: str | None
    steps: int | None
    of: int | None
    loss: float | None
    seconds: float
    size_bytes: int
    date: str | None


def overviews(folder: Path) -> list[Overview]:
    """Every run of a folder, the newest first."""
    return [overview(run) for run in find(folder)]


def overview(run: Run) -> Overview:
    """What a run comes to so far."""
    told = [e for e in run.events if e.get("stage") == "train" and e.get("event") == "step"]
    last = run.metrics[-1] if run.metrics else {}
    return Overview(
        name=run.name,
        state=state(run),
        base=at(run.plan, "base", "name"),
        adapter=run.value("adapter", "kind"),
        trainer=run.value("train", "kind"),
        steps=number(last, "step"),
        of=number(last, "of") or (number(told[-1], "of") if told else None),
        loss=number(last, "loss"),
        seconds=round(sum(number(stamp, "seconds") or 0.0 for stamp in run.stamps.values()), 1),
        size_bytes=run.size_bytes,
        date=run.last_told,
    )
