"""Resolve a recipe to a plan: nothing open, every value with its origin, and what it will cost."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from foundry.core import atomic
from foundry.core.deciding import deciding
from foundry.core.errors import DataError, Problem, ResourceError
from foundry.core.language import gettext as _
from foundry.core.load import LoadedRecipe
from foundry.core.records import BaseModel, Plan
from foundry.core.rundir import RunDir
from foundry.core.shortage import free_bytes, refused_folder
from foundry.core.sizes import GIB
from foundry.core.version import version
from foundry.data.places import require_inputs
from foundry.models.fetch import locate
from foundry.planning import accelerator, cost, fit, hardware, origins
from foundry.planning.forecast import forecast, known_rows, known_shape
from foundry.planning.licences import check_texts, clear, remember
from foundry.planning.processes import check_processes, check_room
from foundry.planning.references import check_references, references_of
from foundry.planning.refusals import (
    check_context,
    check_device,
    check_dropout,
    check_exports,
    check_four_bits,
    check_judge,
    check_trackers,
    check_validation,
)
from foundry.planning.resolve import resolve
from foundry.planning.rewards import check_rewards
from foundry.planning.settled import as_begun, has_begun, is_alike
from foundry.planning.teachers import check_teacher, teacher_of


def make_plan(
    loaded: LoadedRecipe,
    *,
    accepted_terms: Collection[str] = (),
    override: str | None = None,
    runs: Path = Path("runs"),
) -> Plan:
    """Fix everything that the run depends on, and refuse what this machine cannot hold.

    Args:
        loaded: A checked recipe.
        accepted_terms: Names of licences whose conditions the user accepts; kept for next time.
        override: Why to go on although licences conflict; None refuses.
        runs: The folder that will hold the run.

    Raises:
        FoundryError: See `settle`.
        ResourceError: Memory or disk cannot suffice; says which edits fit.
    """
    refused = refused_folder(runs)
    if refused is not None:
        raise ResourceError(refused)
    plan = settle(loaded, accepted_terms, override)
    check_texts(loaded, plan)
    remember(loaded, plan)
    run = RunDir(runs / plan.run_name)
    stamp = run.stamp("plan")
    planned = None if stamp is None else stamp["result"]
    machine = accelerator.look()
    check_room(loaded, machine)
    if planned is not None and has_begun(run):
        return as_begun(plan, planned, run)
    check_device(
        loaded, machine.backend, has_bfloat16=machine.card is None or machine.card.has_bfloat16
    )
    # A run that goes on is not foretold again, unless on another device or other processes.
    if planned is not None and is_alike(plan, planned):
        estimate = planned["estimate"]
    else:
        estimate = _forecast(loaded, runs)
    return replace(fitted(plan, estimate), estimate=estimate)


def fitted(plan: Plan, estimate: Mapping[str, Any]) -> Plan:
    """The plan with what was found to fit the memory where what is usual does not.

    Args:
        plan: Of this machine.
        estimate: Its forecast as plain values; empty where there is none.
    """
    reasons = {
        "pack_tokens": _("computed: the most that fits the memory"),
        "gradient_checkpointing": _("computed: activations do not fit the memory otherwise"),
        "optimizer": _("computed: moments in float32 do not fit the memory"),
        "strategy": _("computed: the whole model does not fit each process"),
    }
    job = estimate["job"] if estimate else {}
    found = {key: job[key] for key in reasons if key in job and job[key] != plan.resolved[key]}
    if job.get("tried_pack"):
        reasons["most_pack_tokens"] = _("computed: the largest that may be tried in the memory")
        found["most_pack_tokens"] = job["tried_pack"]
    told = {f"resolved.{key}": reasons[key] for key in found}
    return replace(plan, resolved={**plan.resolved, **found}, origins={**plan.origins, **told})


def settle(
    loaded: LoadedRecipe, accepted_terms: Collection[str], override: str | None = None
) -> Plan:
    """Fix everything that the run depends on, but not what it will cost.

    Raises:
        ResourceError: The base model or a data file is missing.
        RecipeError: The recipe asks for what the base model cannot do.
        LicenceError: Base, data and purpose do not go together, or terms were not accepted.
    """
    check_four_bits(loaded)
    if override is None:  # before a model is fetched that cannot be used
        origins.check_origin(loaded)
    files = require_inputs(loaded)
    base = locate(loaded.recipe.base_model, loaded.path.parent)
    cleared = clear(loaded, base, accepted_terms, override)
    teacher = teacher_of(loaded)
    references = references_of(loaded)
    check_context(loaded, base)
    check_teacher(loaded, base, teacher)
    check_asked(loaded, base)
    check_processes(loaded, accelerator.look())
    check_trackers(loaded)
    inputs = {key: atomic.sha256(path) for key, path in files.items()}
    beside = _beside(teacher, references)
    identity = {
        "values": deciding(loaded.values),
        "base": [base.sha256, base.settings_sha256],
        "inputs": inputs,
        "foundry": version(),
        **beside,
    }
    resolved, reasons = resolve(loaded, accelerator.look())
    return Plan(
        name=loaded.recipe.name,
        fingerprint=atomic.fingerprint(identity),
        foundry_version=version(),
        recipe_path=str(loaded.path),
        values=loaded.values,
        origins={**loaded.origins, **reasons},
        base=replace(base, licence=cleared.base),
        inputs=inputs,
        models=beside,
        licences=cleared.licences,
        accepted_terms=cleared.accepted,
        override=cleared.override,
        sovereignty=origins.told(loaded),
        resolved=resolved,
        estimate={},
    )


def _beside(teacher: BaseModel | None, references: Sequence[BaseModel]) -> dict[str, Any]:
    """The hashes of the models that a run reads beside its base, by what they are for."""
    made: dict[str, Any] = {}
    if teacher is not None:
        made["teacher"] = [teacher.sha256, teacher.settings_sha256]
    if references:
        made["references"] = [[one.sha256, one.settings_sha256] for one in references]
    return made


def check_asked(loaded: LoadedRecipe, base: BaseModel | None) -> None:
    """Refuse settings that contradict each other, whatever the machine.

    Args:
        loaded: A checked recipe.
        base: Its base model; None where it is not on this machine, and what depends on its files
            cannot be told.

    Raises:
        RecipeError: Says which.
    """
    check_validation(loaded)
    check_dropout(loaded)
    check_judge(loaded)
    check_rewards(loaded, base)
    check_references(loaded)
    check_exports(loaded, base)


def _forecast(loaded: LoadedRecipe, runs: Path) -> dict[str, Any]:
    """What the run will take on this machine; empty where its rows cannot be looked at yet.

    Raises:
        ResourceError: Memory or disk cannot suffice; says which edits fit.
    """
    device = hardware.find(hardware.THIS_MACHINE)
    rates = cost.rates(device, hardware.load_prices())
    known = known_shape(loaded)
    try:
        rows = known_rows(loaded)
    except DataError:  # the stage that reads them says more
        return {}
    made = forecast(loaded, device, rates, known, rows)
    if not made.fits:
        raise fit.refusal(loaded, made, device, rates)
    _check_disk(made.disk.total, runs)
    return made.as_dict()


def _check_disk(needed: int, runs: Path) -> None:
    """Refuse a run whose files the disk cannot hold."""
    free = free_bytes(runs)
    if needed > free:
        what = _("needs {needed} GiB on disk; {found} GiB are free")
        raise ResourceError(
            Problem(
                str(runs),
                what.format(needed=_gib(needed), found=_gib(free)),
                _("free some space, or choose another folder with `--runs`"),
            )
        )


def _gib(count: int) -> int:
    return math.ceil(count / GIB)
