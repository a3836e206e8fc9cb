"""Tell a person that a stage ran out of disk or memory: where, beside what was planned, what to do.

What surely runs out later is told before anything is trained.

Nothing is changed by itself: a smaller batch without a word would be another run (C69).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from foundry.core.errors import FoundryError, Problem, ResourceError
from foundry.core.events import Events
from foundry.core.language import gettext as _
from foundry.core.records import Plan
from foundry.core.rundir import RunDir
from foundry.core.shortage import disk_full, disk_says, is_out_of_memory, memory_limit_bytes
from foundry.core.sizes import readable
from foundry.planning.estimate.memory import FLOAT32


def tell_beforehand(events: Events, plan: Plan) -> None:
    """Warn of a model that the memory does not hold in float32, in which exports merge it (C30).

    A quantised base trains on a card in a seventh of that.
    """
    weights, limit = plan.estimate.get("parameters"), memory_limit_bytes()
    if weights is None or limit is None or FLOAT32 * weights <= limit:
        return
    needed = FLOAT32 * weights
    events.emit("export", "warning", code="whole-model", needed=needed, limit=limit)


@contextmanager
def told(stage: str, plan: Plan, run: RunDir) -> Iterator[None]:
    """Turn what the system and the libraries raise in a stage into one of our errors.

    Raises:
        ResourceError: The disk or the memory was at its end.
    """
    try:
        yield
    except FoundryError:
        raise
    except Exception as error:  # each library that writes raises its own
        why = disk_says(error)
        if why is not None:
            raise disk_full(run.path, why) from error
        if is_out_of_memory(error):
            raise ResourceError(_out_of_memory(stage, plan, run)) from error
        raise


def _out_of_memory(stage: str, plan: Plan, run: RunDir) -> Problem:
    what = _("out of memory {when}; {planned} were planned for, {limit} can be had ({settings})")
    filled = what.format(
        when=_when(stage, run),
        planned=_readable(_planned(plan)),
        limit=_readable(memory_limit_bytes()),
        settings=", ".join(f"{key} {value}" for key, value in _settings(plan, run).items()),
    )
    return Problem(stage, filled, _advice(stage, plan, run))


def _when(stage: str, run: RunDir) -> str:
    if stage != "train":
        return _("in this stage")
    metrics = run.file("metrics.jsonl")
    done = len(metrics.read_bytes().splitlines()) if metrics.is_file() else 0
    if not done:
        return _("before the first step was done")
    return _("after step {step}").format(step=done)


def _planned(plan: Plan) -> float | None:
    memory: Mapping[str, Any] | None = plan.estimate.get("memory")
    return None if memory is None else memory["total"]["expected"]


def _readable(count: float | None) -> str:
    return "?" if count is None else readable(count)


def _settings(plan: Plan, run: RunDir) -> dict[str, Any]:
    """What decides how much is held at once."""
    encoded = (run.stamp("encode") or {}).get("result", {})
    longest = {"longest row": encoded["longest"]} if "longest" in encoded else {}
    keys = ("dtype", "micro_batch_size", "pack_tokens", "gradient_checkpointing")
    settled = {key: plan.resolved[key] for key in keys if plan.resolved.get(key) is not None}
    return longest | settled


def _advice(stage: str, plan: Plan, run: RunDir) -> str:
    """Three changes, that which costs least first, and from where the run goes on."""
    batch = plan.values["evaluation"]["batch_size"]
    first = {
        "train": "--set train.micro_batch_size=1",
        "evaluate": f"--set evaluation.batch_size={batch // 4 or 1}" if batch > 1 else "",
    }.get(stage, "")
    shorter = plan.values["encode"]["max_seq_len"] // 2
    tries = [
        first,
        "--set train.gradient_checkpointing=true" if stage == "train" else "",
        f"--set encode.max_seq_len={shorter}" if stage == "train" else "",
        _("a smaller base model of `foundry model list`"),
    ]
    saved = sorted(run.file("checkpoints").glob("step-*"))
    kept = _("; the last checkpoint is {name}").format(name=saved[-1].name) if saved else ""
    return _("try, in this order: {tries}").format(tries="; ".join(t for t in tries if t)) + kept
