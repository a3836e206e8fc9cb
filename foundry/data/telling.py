"""Tell what became of the files: an event each for a person, and the same for `--json`."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from foundry.core.events import Events
from foundry.core.records import DatasetManifest
from foundry.data.guess import shown


def tell(events: Events, manifest: DatasetManifest) -> None:
    """How each file was read and what became of its rows, what was not read, what to look at."""
    for source in manifest.sources:
        events.emit(
            "data",
            "source",
            file=source.path,
            kind=source.kind,
            encoding=source.encoding,
            format=shown(source.format),
            guessed=source.guessed,
            columns=list(source.columns),
            rows=source.rows,
            used=source.used,
            refused=dict(source.refused),
            blank=source.blank,
        )
    for source in manifest.mixture.get("sources", ()):
        events.emit("data", "mixed", **source)
    for reason, count in Counter(file.reason for file in manifest.skipped).items():
        first = next(file.path for file in manifest.skipped if file.reason == reason)
        events.emit("data", "not-read", reason=reason, count=count, first=first)
    for code, count in manifest.notices.items():
        events.emit("data", "notice", code=code, count=count, first=manifest.noticed.get(code, ""))


def summary(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What `--json` prints of a manifest: the rows, and each file with what became of its own."""
    rows = {key: value for key, value in manifest.items() if key.startswith("rows")}
    parts = {part["name"]: part["rows"] for part in manifest["parts"]}
    beside = ("refused_by_code", "turns", "notices", "noticed", "overlap", "sources", "skipped")
    own = {key: manifest[key] for key in ("planted", "mixture") if manifest.get(key)}
    rest = {key: manifest[key] for key in beside if key in manifest}
    return {**rows, **own, "parts": parts, **rest}
