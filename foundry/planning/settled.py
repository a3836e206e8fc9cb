"""A plan with what its `auto` came to once training had begun."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from foundry.core.language import gettext as _
from foundry.core.records import Plan
from foundry.core.rundir import RunDir

PROCESSES = ("world_size", "strategy")
FILE = "settled.json"  # as `foundry/train/probe.py` writes it


def has_begun(run: RunDir) -> bool:
    """Whether the run has begun to train."""
    return run.file(FILE).is_file()


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
        # The processes are this start's: on any number of them it is the same run.
        resolved={**planned["resolved"], **{key: plan.resolved[key] for key in PROCESSES}},
        origins={**plan.origins, **origins},
        estimate=planned["estimate"],
    )


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
