"""What a training took beside what its plan predicted; kept in `train.json` of every run."""

from collections.abc import Mapping
from typing import Any

from foundry.core import plugins
from foundry.core.environment import peak_memory_bytes
from foundry.core.load import LoadedRecipe
from foundry.core.records import Plan
from foundry.models.place import place_of
from foundry.planning import hardware
from foundry.planning.calibration import machine_key
from foundry.planning.estimate.duration import work
from foundry.planning.estimate.job import Job, job_of, with_settings
from foundry.planning.estimate.memory import memory
from foundry.planning.estimate.rows import Rows
from foundry.planning.estimate.spread import exactly
from foundry.planning.forecast import known_shape


def beside(
    loaded: LoadedRecipe, plan: Plan, shards: Mapping[str, Any], seconds: float
) -> dict[str, Any]:
    """Predicted beside measured, and what a calibration learns from.

    Args:
        loaded: The recipe.
        plan: What the run was made from.
        shards: The record of the encoded rows.
        seconds: What the training stage took, earlier starts of it up to the checkpoint included.

    Returns:
        `predicted` as the plan had it before the first step; `measured`; `work` and `memory`, the
        plan's own figures for the rows that were really trained on, without any calibration.
    """
    job = as_trained(loaded, plan, shards)
    held = with_settings(job, pack_tokens=max(job.pack_tokens, _tried(plan)))
    backend = "cpu" if plan.resolved["device"] == "cpu" else "cuda"
    predicted = {key: plan.estimate.get(key) for key in ("seconds", "memory", "learned_from")}
    return {
        "machine": _machine(plan),
        "predicted": predicted | {"tokens": _tokens(plan.estimate)},
        "measured": {
            "seconds": round(seconds, 3),
            "peak_memory_bytes": peak_bytes(backend),
            "tokens": job.step_tokens * job.steps,
        },
        "work": work(job, backend).as_dict(),
        "memory": memory(held, backend).as_dict(),
    }


def _tried(plan: Plan) -> int:
    """The largest pack that was tried, which held more than the one that was taken."""
    tried: int = plan.resolved.get("tried_pack_tokens", 0)
    return tried


def _machine(plan: Plan) -> str:
    """Runs on several processes teach nothing about those on one."""
    size = plan.resolved["world_size"]
    return machine_key() if size == 1 else f"{machine_key()}, {size} processes"


def peak_bytes(backend: str) -> int | None:
    """The most memory held: by this process, or of the GPU, its context included."""
    if backend == "cpu":
        return peak_memory_bytes()
    import torch

    free, whole = torch.cuda.mem_get_info(0)
    context = whole - free - torch.cuda.memory_reserved(0)  # and what other programs hold
    return torch.cuda.max_memory_reserved(0) + max(0, context)


def as_trained(loaded: LoadedRecipe, plan: Plan, shards: Mapping[str, Any]) -> Job:
    """The training as it was, its rows counted."""
    foretold = plan.estimate["job"]["rows"] if plan.estimate else {}
    share = (foretold.get("places") or 0) / max(1, foretold.get("count", 1))
    rows = Rows(
        count=shards["rows"],
        tokens=exactly(shards["tokens"] / shards["rows"]),
        supervised=exactly(shards["supervised_tokens"] / shards["rows"]),
        longest=shards["longest"],
        origin="tokenizer",
        places=round(share * shards["rows"]) or None,
        held=shards["validation"]["rows"] if shards.get("validation") else 0,
    )
    asked = job_of(loaded, known_shape(loaded), rows, hardware.load_devices()["cpu-laptop"])
    kept = ("micro_batch_size", "pack_tokens", "dtype", "optimizer", "gradient_checkpointing")
    settled = {key: plan.resolved[key] for key in kept if key in plan.resolved}
    trains = plugins.load("adapter", loaded.recipe.adapter.kind).TRAINS
    settled |= {"may_round": False}
    return with_settings(asked, weights=place_of(plan.resolved, trains).weights, **settled)


def _tokens(estimate: Mapping[str, Any]) -> float | None:
    return estimate["step_tokens"] * estimate["job"]["steps"] if estimate else None
