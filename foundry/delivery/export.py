"""Write every artefact a recipe asks for, each proven before the next is begun."""

import time
from pathlib import Path
from typing import Any

from foundry.core import atomic, plugins
from foundry.core.events import Events
from foundry.core.records import Export
from foundry.core.rundir import RunDir
from foundry.delivery.artefact import Tuned
from foundry.delivery.parity import Reference, Subject, prove


def export(
    tuned: Tuned, live: Reference, kind: str, spec: Any, *, run: RunDir, events: Events
) -> Export:
    """Write one artefact to `exports/<name>/` and prove it.

    Raises:
        ProofError: It differs from the live model. The folder stays for inspection and enters no
            package, because the stage is not stamped.
    """
    name, started = export_name(kind, spec), time.monotonic()
    events.emit("export", "begin", name=name)
    exporter = plugins.load("exporter", kind)
    out = run.file("exports", name)
    with atomic.replacing_folder(out) as temporary:
        exporter.write(tuned, spec, temporary)
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
    """The artefact as `prove` wants it; the tolerance of the storage chosen."""
    tolerance = exporter.TOLERANCE
    for value in spec.model_dump().values():
        tolerance = tolerance.get(value, tolerance)
    return Subject(
        name=out.name,
        opened=exporter.opened(tuned, spec, out),
        facts=exporter.facts(tuned, spec, out),
        tolerance=tolerance,
    )
