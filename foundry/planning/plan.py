"""Resolve a recipe to a plan: nothing open, every value with its origin, and what it will cost."""

import math
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from foundry.core import atomic, plugins
from foundry.core.environment import memory_bytes
from foundry.core.errors import LicenceError, Problem, RecipeError, ResourceError
from foundry.core.language import gettext as _
from foundry.core.load import LoadedRecipe
from foundry.core.records import BaseModel, Plan
from foundry.core.version import version
from foundry.data.places import require_inputs
from foundry.models.fetch import locate
from foundry.policy import licence as policy

# Tokens in one micro-batch on the CPU: beyond it time per token no longer falls (measured on two
# cores with Gemma-3-270m: 1 row of 100 tokens 14 ms a token, 8 rows in one 7 ms, 16 rows 7 ms).
MICRO_BATCH_TOKENS = 4096
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
    licences = _check_licences(loaded, base, accepted_terms)
    _check_context(loaded, base)
    _check_exports(loaded, base)
    inputs = {key: atomic.sha256(path) for key, path in files.items()}
    identity = {
        "values": loaded.values,
        "base": [base.sha256, base.settings_sha256],
        "inputs": inputs,
        "foundry": version(),
    }
    estimate = _estimate(loaded, base)
    _check_room(estimate, runs)
    resolved, reasons = _resolve(loaded)
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


def _check_licences(
    loaded: LoadedRecipe, base: BaseModel, accepted: Collection[str]
) -> tuple[Mapping[str, Any], ...]:
    """Every licence in play, with what was declared; refuses a use that they forbid."""
    recipe = loaded.recipe
    sources = [(source.path, policy.find(source.licence)) for source in recipe.data.sources]
    problems = policy.check_use(
        base=policy.find(base.licence),
        data=sources,
        purpose=recipe.purpose,
        accepted=accepted,
        model_name=recipe.name,
    )
    problems += [
        _other_purpose(loaded, number)
        for number, source in enumerate(recipe.data.sources)
        if source.declaration.purpose != recipe.purpose
    ]
    if problems:
        raise LicenceError(problems)
    declared = [s.declaration.model_dump(mode="json") for s in recipe.data.sources]
    return (
        {"of": "base_model", "licence": base.licence},
        *(
            {"of": path, "licence": licence.name, "declaration": declaration}
            for (path, licence), declaration in zip(sources, declared, strict=True)
        ),
    )


def _other_purpose(loaded: LoadedRecipe, number: int) -> Problem:
    key = f"data.sources.{number}.declaration.purpose"
    what = _("{key}: declared for `{declared}`, but the recipe is for `{purpose}`")
    declared = loaded.recipe.data.sources[number].declaration.purpose
    return Problem(
        loaded.origins[key],
        what.format(key=key, declared=declared, purpose=loaded.recipe.purpose),
        _("use data declared for this purpose, or correct the declaration"),
    )


def _check_context(loaded: LoadedRecipe, base: BaseModel) -> None:
    wanted = loaded.recipe.encode.max_seq_len
    if wanted > base.context:
        what = _("{key}: {wanted} tokens are more than the {most} that {base} can read")
        key = "encode.max_seq_len"
        raise RecipeError(
            Problem(
                loaded.origins[key],
                what.format(key=key, wanted=wanted, most=base.context, base=base.name),
                _("set it to {most} or less").format(most=base.context),
            )
        )


def _check_exports(loaded: LoadedRecipe, base: BaseModel) -> None:
    """Refuse an export that could not be written after the training it needs."""
    problems = []
    for number, block in enumerate(loaded.recipe.exports):
        found = plugins.load("exporter", block.kind).misfit(base)
        if found is not None:
            key = f"exports.{number}.kind"
            what = f"{key}: {found.what}"
            problems.append(Problem(loaded.origins[key], what, found.fix))
    if problems:
        raise RecipeError(problems)


def _resolve(loaded: LoadedRecipe) -> tuple[dict[str, Any], dict[str, str]]:
    """What `auto` means on this machine, and why."""
    spec = loaded.recipe.train.spec.model_dump()
    total = spec["global_batch_size"]
    if spec["micro_batch_size"] == "auto":
        most = max(1, MICRO_BATCH_TOKENS // loaded.recipe.encode.max_seq_len)
        micro = max(d for d in range(1, total + 1) if total % d == 0 and d <= most)
        why = _("computed: the largest divisor of {total} within {tokens} tokens")
        reason = why.format(total=total, tokens=MICRO_BATCH_TOKENS)
    else:
        micro = spec["micro_batch_size"]
        reason = loaded.origins.get("train.micro_batch_size", "default")
        if total % micro:
            raise RecipeError(_not_a_divisor(loaded, micro, total))
    resolved = {
        "device": "cpu",
        "dtype": "float32",
        "world_size": 1,
        "micro_batch_size": micro,
        "gradient_accumulation_steps": total // micro,
    }
    reasons = dict.fromkeys((f"resolved.{key}" for key in resolved), _("computed"))
    return resolved, reasons | {"resolved.micro_batch_size": reason}


def _not_a_divisor(loaded: LoadedRecipe, micro: int, total: int) -> Problem:
    key = "train.micro_batch_size"
    what = _("{key}: {micro} does not divide `global_batch_size` {total}")
    nearest = max(d for d in range(1, micro + 1) if total % d == 0)
    return Problem(
        loaded.origins[key],
        what.format(key=key, micro=micro, total=total),
        _("set it to {nearest}, or to `auto`").format(nearest=nearest),
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
