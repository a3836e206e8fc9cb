"""What differs between two runs: what went in, what was chosen, where, and what came of it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from foundry.store.runs import Json, Run, at, table

# Each part of a run that is compared, in the order in which one causes the next.
PARTS: Mapping[str, Callable[[Run], Any]] = {
    "recipe": lambda run: run.plan.get("values"),
    "base": lambda run: (
        {k: v for k, v in _base(run).items() if k != "folder"} | table(run.plan, "models")
    ),
    "data": lambda run: {"inputs": run.plan.get("inputs"), "parts": _parts(run)},
    "resolved": lambda run: run.plan.get("resolved"),
    "environment": lambda run: run.environment,
    "results": lambda run: _results(run),
}
ABSENT = None


def document(a: Run, b: Run) -> Json:
    """What `foundry run diff --json` prints: of each part the keys that differ, `[a, b]`.

    A key that one of them lacks is null there.
    """
    return {
        "a": a.name,
        "b": b.name,
        **{part: differences(read(a), read(b)) for part, read in PARTS.items()},
    }


def differences(a: Any, b: Any) -> dict[str, list[Any]]:
    """The values that differ, by their dotted key, in the order of `a` and then of `b`."""
    left, right = dict(_flat(a)), dict(_flat(b))
    return {
        key: [left.get(key, ABSENT), right.get(key, ABSENT)]
        for key in left | right
        if left.get(key, ABSENT) != right.get(key, ABSENT)
    }


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    inner: Iterable[tuple[str, Any]]
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list):
        inner = ((str(number), one) for number, one in enumerate(value))
    else:
        yield key, value
        return
    for name, one in inner:
        yield from _flat(one, f"{key}.{name}" if key else str(name))


def _base(run: Run) -> Json:
    return table(run.plan, "base")


def _parts(run: Run) -> Json:
    """Rows and hash of what was learned and what was tested."""
    found = run.result("data").get("parts") or []
    return {part["name"]: {k: part.get(k) for k in ("rows", "sha256")} for part in found}


def _results(run: Run) -> Json:
    """The numbers that came of it; of scores the mean, by metric, part and column."""
    trained = {k: v for k, v in run.result("train").items() if k not in ("proof", "adapter")}
    peaks = {stage: stamp.get("peak_memory_bytes") for stage, stamp in run.stamps.items()}
    scores = at(run.result("evaluate"), "scores", "scores") or []
    return {
        "train": trained,
        "stage_seconds": {stage: stamp.get("seconds") for stage, stamp in run.stamps.items()},
        "peak_memory_bytes": peaks,
        "scores": {
            f"{s['metric']}/{s['part']}/{s['column']}": s["mean"]
            for s in scores
            if s.get("part") is not None
        },
    }
