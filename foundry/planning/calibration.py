"""What runs on this machine have taught about its speed and its memory.

Kept in `calibration.json` under `FOUNDRY_HOME`, one entry for each machine (processor, cores,
torch). Later plans for this machine use it and say so.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foundry.core import atomic, environment
from foundry.core.records import Record
from foundry.models.embedded import home
from foundry.planning import accelerator
from foundry.planning.estimate.duration import TimeFactors
from foundry.planning.estimate.memory import MemoryFactors
from foundry.planning.hardware import THIS_MACHINE, Device


@dataclass(frozen=True)
class Calibration(Record):
    """Factors, and how many runs they were learned from."""

    runs: int
    time: TimeFactors
    memory: MemoryFactors


def machine_key() -> str:
    """What makes two machines alike for a calibration: what computes, and torch."""
    torch = environment.installed("torch")
    card = accelerator.look().card
    if card is not None:
        return f"{card.name}, torch {torch}"
    return f"{environment.cpu_name()} x {environment.cores()}, torch {torch}"


def of(device: Device) -> Calibration | None:
    """What was learned of this machine; None for other devices, or before anything was."""
    if device.name != THIS_MACHINE:
        return None
    found = _entries().get(machine_key())
    if found is None:
        return None
    return Calibration(
        runs=found["runs"],
        time=TimeFactors(**{**found["time"], "bounds": _three(found["time"]["bounds"])}),
        memory=MemoryFactors(**{key: _three(value) for key, value in found["memory"].items()}),
    )


def keep(made: Calibration) -> Path:
    """Write what was learned of this machine, and leave that of others."""
    path = _path()
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write_json(path, {**_entries(), machine_key(): made.as_dict()})
    return path


def _path() -> Path:
    return home() / "calibration.json"


def _entries() -> Mapping[str, Any]:
    path = _path()
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def _three(values: Any) -> tuple[float, float, float]:
    low, expected, high = values
    return float(low), float(expected), float(high)
