"""A plan with what its `auto` came to once training had begun."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from foundry.core.language import gettext as _
from foundry.core.records import Plan
from foundry.core.rundir import RunDir
from foundry.planning.processes import FSDP2

PROCESSES = ("world_size", "strategy")
FILE = "settled.json"  # as `foundry/train/probe.py` writes it


def has_begun(run: RunDir) -> bool:
    """Whether the run has begun to train."""
    return run.file(FILE).is_file()


def is_alike(plan: Plan, planned: Mapping[str, Any]) -> bool:
    """Whether a run was planned for the device and the processes that it would have now."""
    now, then = plan.resolved, planned["resolved"]
    is_asked = plan.values["compute"] == planned["values"].get("compute")
    return is_asked and all(now[key] == then.get(key) for key in ("device", "world_size"))


def _processes(plan: Plan, planned: Mapping[str, Any]) -> dict[str, Any]:
    """The processes of this start, since on any number of them it is the same run.

    Where the recipe leaves it open, a model that was held in parts because it did not fit is held
    so again.
    """
    found = {key: plan.resolved[key] for key in PROCESSES}
    is_open = plan.values["compute"]["strategy"] == "auto" and found["world_size"] > 1
    if is_open and planned["resolved"].get("strategy") == FSDP2:
        found["strategy"] = FSDP2
    return found


def as_begun(plan: Plan, planned: Mapping[str, Any], run: RunDir) -> Plan:
    """The plan of a run that goes on: device, number type and all else are those it began with.

    Half a run in other numbers is another run, and no record would show where it changed.

    Args:
        plan: As this machine would have it.
        planned: The plan that the run began with, as plain values.
        run: The run.
    """
    own = {f"resolved.{key}" for key in PROCESSES}
    origins = {
        key: why
        for key, why in planned["origins"].items()
        if key.startswith("resolved.") and key not in own
    }
    if planned["resolved"]["device"] != plan.resolved["device"]:
        said = _("as the run began; remove {folder} to begin on `{device}`")
        told = said.format(folder=run.path, device=plan.resolved["device"])
        origins["resolved.device"] = told
    return replace(
        plan,
        resolved={**planned["resolved"], **_processes(plan, planned)},
        origins={**plan.origins, **origins},
        estimate=planned["estimate"],
    )


def as_settled(plan: Plan, run: RunDir) -> Plan:
    """The plan with the choices and reasons of the training stage, once it made them."""
    file = run.file(FILE)
    if not file.is_file():
        return plan
    settled = json.loads(file.read_text(encoding="utf-8"))
    values = {key: found["value"] for key, found in settled.items()}
    reasons = {f"resolved.{key}": found["reason"] for key, found in settled.items()}
    return replace(plan, resolved={**plan.resolved, **values}, origins={**plan.origins, **reasons})
