"""A plan with what its `auto` came to once training had begun."""

import json
from typing import Any

from foundry.core.records import Plan
from foundry.core.rundir import RunDir

FILE = "settled.json"  # as `foundry/train/probe.py` writes it


def as_settled(plan: Plan, run: RunDir) -> dict[str, Any]:
    """The plan as plain values; choices and reasons of the training stage are put in."""
    made, file = plan.as_dict(), run.file(FILE)
    if file.is_file():
        settled = json.loads(file.read_text(encoding="utf-8"))
        values = {key: found["value"] for key, found in settled.items()}
        reasons = {f"resolved.{key}": found["reason"] for key, found in settled.items()}
        made["resolved"] = {**made["resolved"], **values}
        made["origins"] = {**made["origins"], **reasons}
    return made
