"""The one place that knows the order of the stages.

A stage is skipped when its stamp says that it was made from the same inputs and every file it
made still has its hash. The inputs of a stage are the plan and the stamps of the stages before.
"""

import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from foundry.core import atomic
from foundry.core.environment import country, peak_memory_bytes
from foundry.core.errors import FoundryError, RecipeError, told
from foundry.core.events import Events, to_file
from foundry.core.load import LoadedRecipe
from foundry.core.rundir import RunDir, stages_until
from foundry.models.at_hand import at_hand
from foundry.planning.plan import make_plan
from foundry.planning.trainers import not_read
from foundry.stages.runners import RUNNERS
from foundry.stages.walk import Walk, keep, plain, stage_inputs


def walk(
    loaded: LoadedRecipe,
    *,
    runs: Path,
    events: Events,
    until: str = "package",
    accepted_terms: Collection[str] = (),
    override: str | None = None,
) -> Walk:
    """Take a recipe through its stages up to and including `until`.

    Args:
        loaded: A checked recipe.
        runs: The folder of run directories.
        events: Told of every stage and step.
        until: The last stage, one of `STAGES` of core/rundir.py.
        accepted_terms: Licences whose conditions the user accepted.
        override: Why to go on although licences conflict; None refuses.

    Raises:
        FoundryError: A stage refused to go on; everything before it stays as it is.
    """
    stages = stages_until(until)
    country()  # refused now, and not after hours
    _tell_base(loaded, events)
    plan = make_plan(loaded, accepted_terms=accepted_terms, override=override, runs=runs)
    run = RunDir(runs / plan.run_name)
    events.run = plan.run_name
    way = Walk(loaded, plan, run, events)
    with run.locked(), events.heard_by(to_file(run.file("events.jsonl"))):
        atomic.remove_unfinished(run.path)
        if plan.override is not None:
            events.emit("plan", "override", **plan.override)
        for stage in stages:
            try:
                _take(way, stage)
            except BaseException as error:
                events.emit(stage, "failed", **told(error))
                raise
    return way


def _tell_base(loaded: LoadedRecipe, events: Events) -> None:
    """Say which base model it is, and whether it is ready; the plan refuses a wrong one."""
    with suppress(FoundryError):
        ready = at_hand(loaded.recipe.base_model, loaded.path.parent) is not None
        events.emit("plan", "base", name=loaded.recipe.base_model, ready=ready)


def _take(way: Walk, stage: str) -> None:
    """Run one stage, or skip it when its stamp fits."""
    if stage == "train":
        _refuse_type(way)
    inputs = stage_inputs(way.plan, way.run, stage)
    stamp = way.run.stamp(stage)
    if stamp is not None and way.run.is_done(stage, inputs) and _is_as_told(way, stage, stamp):
        way.results[stage] = stamp["result"]
        way.skipped.append(stage)
        way.events.emit(stage, "skipped")
        return
    started = time.monotonic()
    way.events.emit(stage, "begin")
    keep(way, stage, RUNNERS[stage], started)
    peak = peak_memory_bytes()
    seconds = round(time.monotonic() - started, 1)
    way.events.emit(stage, "end", seconds=seconds, peak_memory_bytes=peak)


def _is_as_told(way: Walk, stage: str, stamp: Mapping[str, Any]) -> bool:
    """Whether a plan says the same values as now, of what makes no other run too."""
    return stage != "plan" or stamp["result"]["values"] == plain(way.plan.values)


def _refuse_type(way: Walk) -> None:
    """Refuse rows of a dataset type that the recipe's trainer does not read."""
    problem = not_read(way.loaded, way.results["encode"]["type"])
    if problem is not None:
        raise RecipeError(problem)
