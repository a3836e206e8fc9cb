"""Let a run take over prepared rows from another run that has made the very same ones.

A stage is taken over only if all that decides it is equal in both plans and every file of the
other run still has its hash; else the run makes its own. Files are copied: damage to one run must
not reach another.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from foundry.core import atomic, plugins
from foundry.core.records import Plan
from foundry.core.rundir import RunDir

STAGES = ("data", "encode")


def share(
    run: RunDir, plan: Plan, donors: Sequence[RunDir], inputs_of: Callable[[str], str]
) -> list[str]:
    """Take over what stages some donor has made; the names of these stages.

    Args:
        run: The run that is about to be made; locked by the caller.
        plan: Its plan.
        donors: Runs to look at, in this order.
        inputs_of: The fingerprint of a stage's inputs, asked after the stages before it are there.
    """
    taken = []
    for stage in STAGES:
        inputs = inputs_of(stage)
        if run.is_done(stage, inputs):
            continue
        donor = next((one for one in donors if _has(one, stage, plan)), None)
        if donor is None:
            break
        _take(run, donor, stage, inputs)
        taken.append(stage)
    return taken


def key(plan: Mapping[str, Any], stage: str) -> list[Any]:
    """All that decides what a stage makes."""
    values, base = plan["values"], plan["base"]
    folder = str(Path(plan["recipe_path"]).parent)
    data = [plan["foundry_version"], folder, values["data"], plan["inputs"], _planted(values)]
    if stage == "data":
        return data
    return [*data, values["encode"], values["title"], base["sha256"], base["settings_sha256"]]


def _planted(values: Mapping[str, Any]) -> list[Any]:
    """What evaluators have put among the training rows, which the seed decides."""
    planting = [
        block
        for block in values["evals"]
        if plugins.optional(plugins.load("evaluator", block["kind"]), "plants") is not None
    ]
    return [values["seed"], planting] if planting else []


def _has(donor: RunDir, stage: str, plan: Plan) -> bool:
    """Whether a run has finished the stage from what `plan` would make it from."""
    made, stamp = donor.stamp("plan"), donor.stamp(stage)
    if made is None or stamp is None or not donor.is_done(stage, stamp["inputs"]):
        return False
    return key(made["result"], stage) == key(plan.as_dict(), stage)


def _take(run: RunDir, donor: RunDir, stage: str, inputs: str) -> None:
    started, stamp = time.monotonic(), donor.stamp(stage)
    assert stamp is not None
    files = []
    for name in stamp["outputs"]:
        atomic.copy(donor.file(name), run.file(name))
        files.append(run.file(name))
    run.finish(stage, inputs, stamp["result"], files, started)
