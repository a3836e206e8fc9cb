"""Everything that a person asks of one run: its choices, cost, curve, proofs and files."""

from typing import Any

from foundry.store.run_list import overview
from foundry.store.runs import Json, Run, at, files, number

# The choices that make a run what it is; the rest of the recipe is in `plan.json`.
CHOICES = ("base_model", "seed", "encode.", "adapter.", "train.", "resolved.")


def document(run: Run) -> Json:
    """What `foundry run show --json` prints."""
    curve_of = "reward" if any("reward" in line for line in run.metrics) else "loss"
    curve = [line.get(curve_of) for line in run.metrics]
    return {
        **overview(run).as_dict(),
        "path": str(run.dir.path),
        "fingerprint": run.plan.get("fingerprint"),
        "choices": _choices(run),
        "stages": _stages(run),
        "curve_of": curve_of,
        "curve": [value for value in curve if isinstance(value, int | float)],
        "proofs": _proofs(run),
        "forecast": _forecast(run),
        "files": {
            path.relative_to(run.dir.path).as_posix(): path.lstat().st_size
            for path in files(run.dir.path)
        },
    }


def _choices(run: Run) -> list[Json]:
    """Each choice with its value and where it is from."""
    origins = run.plan.get("origins")
    return [
        {"key": key, "value": _value(run.plan, key), "origin": origin}
        for key, origin in (origins if isinstance(origins, dict) else {}).items()
        if key.startswith(CHOICES)
    ]


def _value(plan: Json, key: str) -> Any:
    value: Any = plan if key.startswith("resolved.") else plan.get("values")
    for part in key.split("."):
        if isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            value = at(value, part)
    return value


def _stages(run: Run) -> Json:
    """Seconds of each finished stage, and the most memory the process had held by its end."""
    keys = ("seconds", "peak_memory_bytes")
    return {name: {key: number(stamp, key) for key in keys} for name, stamp in run.stamps.items()}


def _proofs(run: Run) -> Json:
    """What was measured of the adapter, of each artefact, and against each gate."""
    exported, gates = run.result("export").get("items"), run.result("evaluate").get("gates")
    return {
        "learning": run.result("train").get("proof") or {},
        "parity": {item["name"]: item["parity"] for item in exported or ()},
        "gates": gates or [],
    }


def _forecast(run: Run) -> Json:
    """What the plan said the training would take beside what it took, as far as known."""
    kept = run.result("train").get("forecast") or {}
    predicted, measured = kept.get("predicted") or {}, kept.get("measured") or {}
    pairs = {
        "seconds": (predicted.get("seconds"), measured.get("seconds")),
        "peak_memory_bytes": (
            at(predicted, "memory", "total"),
            measured.get("peak_memory_bytes"),
        ),
        "tokens": (predicted.get("tokens"), measured.get("tokens")),
    }
    return {
        key: {"predicted": before, "measured": after}
        for key, (before, after) in pairs.items()
        if before is not None or after is not None
    }
