"""Resolve a recipe to a plan: nothing open, every value with its origin, and what it will cost."""

import math
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from foundry.core import atomic
from foundry.core.environment import memory_bytes
from foundry.core.errors import Problem, ResourceError
from foundry.core.language import gettext as _
from foundry.core.load import LoadedRecipe
from foundry.core.records import BaseModel, Plan
from foundry.core.version import version
from foundry.data.places import require_inputs
from foundry.models.fetch import locate
from foundry.planning.refusals import check_context, check_exports, check_licences
from foundry.planning.resolve import resolve

FLOAT32_BYTES = 4
# Live model, the reloaded one of the proof, and one being merged.
WEIGHT_COPIES = 3


def make_plan(
    loaded: LoadedRecipe, *, accepted_terms: Collection[str] = (), runs: Path = Path("runs")
) -> Plan:
    """Fix everything that the run depends on.

    Args:
        loaded: A checked recipe.
        accepted_terms: Names of licences whose conditions the user accepted.
        runs: The folder that will hold the run.

    Raises:
        ResourceError: The base model or a data file is missing; memory or disk cannot suffice.
        RecipeError: The recipe asks for what the base model cannot do.
        LicenceError: Base, data and purpose do not go together, or terms were not accepted.
    """
    files = require_inputs(loaded)
    base = locate(loaded.recipe.base_model, loaded.path.parent)
    licences = check_licences(loaded, base, accepted_terms)
    check_context(loaded, base)
    check_exports(loaded, base)
    inputs = {key: atomic.sha256(path) for key, path in files.items()}
    identity = {
        "values": loaded.values,
        "base": [base.sha256, base.settings_sha256],
        "inputs": inputs,
        "foundry": version(),
    }
    estimate = _estimate(loaded, base)
    _check_room(estimate, runs)
    resolved, reasons = resolve(loaded)
    return Plan(
        name=loaded.recipe.name,
        fingerprint=atomic.fingerprint(identity),
        foundry_version=version(),
        recipe_path=str(loaded.path),
        values=loaded.values,
        origins={**loaded.origins, **reasons},
        base=base,
        inputs=inputs,
        licences=licences,
        accepted_terms=tuple(sorted(set(accepted_terms))),
        resolved=resolved,
        estimate=estimate,
    )


def _estimate(loaded: LoadedRecipe, base: BaseModel) -> dict[str, Any]:
    """Bytes that are certain to be needed; activations come on top."""
    weights = base.parameters * FLOAT32_BYTES
    per_export = {"gguf": 2, "merged": 4}
    exports = sum(base.parameters * per_export.get(b.kind, 0) for b in loaded.recipe.exports)
    return {
        "parameters": base.parameters,
        "memory_bytes": weights * WEIGHT_COPIES,
        "disk_bytes": exports * 2,  # once in the run, once in the package
    }


def _check_room(estimate: Mapping[str, Any], runs: Path) -> None:
    """Refuse a run whose certain needs this machine cannot meet."""
    problems = []
    memory = memory_bytes()
    if memory is not None and estimate["memory_bytes"] > memory:
        what = _("needs {needed} GiB of memory at least; this machine has {found} GiB")
        problems.append(
            Problem(
                "memory",
                what.format(needed=_gib(estimate["memory_bytes"]), found=_gib(memory)),
                _("choose a smaller base model with `foundry model list`"),
            )
        )
    existing = next(p for p in (runs.absolute(), *runs.absolute().parents) if p.exists())
    free = shutil.disk_usage(existing).free
    if estimate["disk_bytes"] > free:
        what = _("needs {needed} GiB on disk; {found} GiB are free")
        problems.append(
            Problem(
                str(runs),
                what.format(needed=_gib(estimate["disk_bytes"]), found=_gib(free)),
                _("free some space, or choose another folder with `--runs`"),
            )
        )
    if problems:
        raise ResourceError(problems)


def _gib(count: int) -> int:
    return math.ceil(count / 2**30)
