"""What `auto` means in a recipe, and why."""

from functools import partial
from typing import Any

from foundry.core import plugins
from foundry.core.language import gettext as _
from foundry.core.load import LoadedRecipe
from foundry.planning.accelerator import Look
from foundry.planning.estimate.job import PACK_TOKENS
from foundry.planning.processes import processes
from foundry.train.learning_rate import SHORT_RUN, learning_rate


def resolve(loaded: LoadedRecipe, machine: Look) -> tuple[dict[str, Any], dict[str, str]]:
    """What `auto` means on a machine, and why, as long as everything fits its memory."""
    spec = loaded.recipe.train.spec.model_dump()
    rows = spec["global_batch_size"]
    most = _("computed: as many as `pack_tokens` allows, {rows} at most").format(rows=rows)
    automatic = {
        "packing": ("best-fit", _("computed: rows without padding")),
        "pack_tokens": (PACK_TOKENS[machine.backend], _("computed: usual for this device")),
        "micro_batch_size": (rows, most),
        "dtype": _number_type(machine),
        "optimizer": _optimizer(machine),
        "gradient_checkpointing": (False, _("computed: activations fit; twice takes a third more")),
    }
    shared, why_shared = processes(loaded, machine)
    resolved: dict[str, Any] = {"device": machine.backend, **shared}
    reasons = {"resolved.device": machine.reason, **why_shared}
    for key, (value, why) in automatic.items():
        is_given = spec[key] != "auto"
        resolved[key] = spec[key] if is_given else value
        origin = loaded.origins.get(f"train.{key}", "default")
        reasons[f"resolved.{key}"] = origin if is_given else why
    resolved["learning_rate"], reasons["resolved.learning_rate"] = _learning_rate(loaded)
    return resolved, reasons


def _number_type(machine: Look) -> tuple[str, str]:
    if machine.card is None:
        return "float32", _("computed")
    if machine.card.has_bfloat16:
        return "bfloat16", _("computed: the usual number type of this device")
    return "float32", _("computed: the device has no bfloat16")


def _optimizer(machine: Look) -> tuple[str, str]:
    fused = _("computed: one fused kernel for all tensors, moments in float32")
    return "adamw", _("computed") if machine.card is None else fused


def _learning_rate(loaded: LoadedRecipe) -> tuple[float | str, str]:
    """The recipe's rate; of `auto`, the number where the recipe says how many steps there are."""
    spec, key = loaded.recipe.train.spec.model_dump(), "train.learning_rate"
    if spec["learning_rate"] != "auto":
        return spec["learning_rate"], loaded.origins.get(key, "default")
    adapter = plugins.load("adapter", loaded.recipe.adapter.kind)
    trainer = plugins.load("trainer", loaded.recipe.train.kind)
    trained, times = adapter.TRAINS, getattr(adapter, "TIMES_RATE", 1.0)
    rate = partial(learning_rate, all_weights=trainer.Spec.all_weights_rate)
    if spec["max_steps"] is None and trained == "update" and times in (1, None):
        short, long = rate(trained, 1)[0], rate(trained, SHORT_RUN)[0]
        why = _("auto: {short:g} under {steps} steps, else {long:g}; settled once rows are counted")
        return "auto", why.format(short=short, long=long, steps=SHORT_RUN)
    return rate(trained, spec["max_steps"] or SHORT_RUN, times)
