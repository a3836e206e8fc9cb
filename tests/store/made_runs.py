"""Small runs as the stages leave them, written by the product's own functions."""

import json
import time
from pathlib import Path
from typing import Any

from foundry.core import atomic
from foundry.core.events import Events, to_file
from foundry.core.rundir import STAGES
from foundry.core.rundir import RunDir as Folder
from foundry.store.runs import Run

PLAN = {
    "name": "shop",
    "fingerprint": "1a2b3c4d" * 8,
    "values": {
        "base_model": "tiny",
        "seed": 0,
        "adapter": {"kind": "lora", "rank": 8},
        "train": {"kind": "sft", "learning_rate": 2e-4},
        "data": {"sources": [{"path": "faq.csv"}]},
    },
    "origins": {
        "base_model": "shop.yaml:2:1",
        "adapter.rank": "shop.yaml:5:3",
        "data.sources.0.path": "shop.yaml:7:3",
        "resolved.threads": "computed",
    },
    "base": {"name": "tiny", "sha256": "aa", "folder": "/home/me/tiny"},
    "inputs": {"data.sources.0.path": "bb"},
    "resolved": {"threads": 2},
    "estimate": {},
}


def make(runs: Path, name: str = "shop-1a2b3c4d", until: str = "package", **changed: Any) -> Run:
    """A run whose stages up to `until` are finished; `changed` are values of its plan."""
    folder = Folder(runs / name)
    folder.path.mkdir(parents=True)
    events = Events([to_file(folder.file("events.jsonl"))], name)
    plan: dict[str, Any] = {**PLAN, **changed}
    atomic.write_json(folder.file("plan.json"), plan)
    trained = "model" if plan["values"]["adapter"]["kind"] == "full" else "adapter"
    atomic.write_json(folder.file("env.json"), {"python": "3.11", "packages": {"torch": "2.13.0"}})
    for stage in STAGES[: STAGES.index(until) + 1]:
        events.emit(stage, "begin")
        finish(folder, stage, trained)
        events.emit(stage, "end", seconds=1.0, peak_memory_bytes=1 << 20)
    return Run(folder)


def finish(folder: Folder, stage: str, trained: str = "adapter") -> None:
    """Stamp a stage; the training has a curve, two checkpoints and the folder `trained`."""
    outputs, result = list[Path](), {}
    if stage == "train":
        steps = [{"step": n, "of": 3, "loss": 3.0 / n} for n in (1, 2, 3)]
        atomic.write_text(
            folder.file("metrics.jsonl"), "".join(json.dumps(s) + "\n" for s in steps)
        )
        for step in ("step-000002", "step-000003"):
            atomic.write_bytes(folder.file("checkpoints", step, "adapter.safetensors"), b"x" * 1000)
        file = "model.safetensors" if trained == "model" else "adapter_model.safetensors"
        atomic.write_bytes(folder.file(trained, file), b"weights")
        outputs = [folder.file(trained), folder.file("metrics.jsonl")]
        moved = {"tensors": 4, "moved": 4}
        result = {"adapter": trained, "steps": 3, "last_loss": 1.0, "proof": {"moved": moved}}
    folder.finish(stage, "inputs", result, outputs, time.monotonic())


def log(run: Run, stage: str, event: str, **values: Any) -> Run:
    """Add an event to the log; gives the run as it is read from now on."""
    Events([to_file(run.dir.file("events.jsonl"))], run.name).emit(stage, event, **values)
    return Run(run.dir)
