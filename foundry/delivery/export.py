"""Write every artefact a recipe asks for, each proven before the next is begun."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from foundry.core import atomic, plugins
from foundry.core.events import Events
from foundry.core.records import EncodedRow, Export
from foundry.core.rundir import RunDir
from foundry.delivery.artefact import Tuned
from foundry.delivery.parity import Reference, Subject, ended, prove, reference
from foundry.delivery.reward_parity import Rewarded, prove_rewards, rewarded


def live_model(
    tuned: Tuned, rows: Sequence[EncodedRow], trainer: str, events: Events
) -> Reference | Rewarded:
    """What the live model says, which every artefact must say too.

    A trainer that only tells better answers from worse (`TEACHES_END` is false) teaches no end of
    one; then it is told how many answers end, and how many did before the training.
    """
    if tuned.padding is not None:
        return rewarded(tuned, rows)
    teaches = plugins.optional(plugins.load("trainer", trainer), "TEACHES_END") is not False
    live = reference(tuned, rows, teaches_end=teaches)
    if teaches:
        return live
    counts = ended(tuned, live)
    events.emit("export", "ends", **counts)
    return replace(live, ended=counts)


def export(
    tuned: Tuned, live: Reference | Rewarded, kind: str, spec: Any, *, run: RunDir, events: Events
) -> Export:
    """Write one artefact to `exports/<name>/` and prove it.

    Raises:
        ProofError: It differs from the live model. The folder stays for inspection and enters no
            package, because the stage is not stamped.
    """
    name, started = export_name(kind, spec), time.monotonic()
    events.emit("export", "begin", name=name)
    tuned.forget()  # of 12 billion weights, each copy in float32 takes 48 GB
    exporter = plugins.load("exporter", kind)
    out = run.file("exports", name)
    with atomic.replacing_folder(out) as temporary:
        exporter.write(tuned, spec, temporary)
    if isinstance(live, Rewarded):
        artefact = exporter.judge(tuned, out)
        record = prove_rewards(tuned, live, artefact, out, _tolerance(exporter, spec))
    else:
        record = prove(tuned, live, _subject(exporter, tuned, spec, out))
    seconds = round(time.monotonic() - started, 1)
    events.emit("export", "end", name=name, seconds=seconds)
    files = sorted(path for path in out.rglob("*") if path.is_file())
    return Export(
        kind=kind,
        name=name,
        path=run.relative(out),
        files={run.relative(path): atomic.sha256(path) for path in files},
        size_bytes=sum(path.stat().st_size for path in files),
        parity=record,
    )


def export_name(kind: str, spec: Any) -> str:
    """The folder of an artefact: its kind, with the storage type where there is a choice."""
    chosen = "-".join(str(value) for value in spec.model_dump().values())
    return f"{kind}-{chosen}" if chosen else kind


def _subject(exporter: Any, tuned: Tuned, spec: Any, out: Path) -> Subject:
    """The artefact as `prove` wants it."""
    return Subject(
        name=out.name,
        opened=exporter.opened(tuned, spec, out),
        facts=exporter.facts(tuned, spec, out),
        tolerance=_tolerance(exporter, spec),
    )


def _tolerance(exporter: Any, spec: Any) -> Any:
    """The tolerance of the storage chosen."""
    tolerance = exporter.TOLERANCE
    for value in spec.model_dump().values():
        tolerance = tolerance.get(value, tolerance)
    return tolerance
