"""What `auto` means in a recipe, and why."""

from typing import Any

from foundry.core import plugins
from foundry.core.language import gettext as _
from foundry.core.load import LoadedRecipe
from foundry.train.learning_rate import SHORT_RUN, learning_rate

# Tokens in one forward pass on a CPU: on two cores twice as many gain 1 to 7 % on SmolLM2-135M,
# lose 17 % on Gemma-3-270m, and take a third more memory (shared/performance.md).
PACK_TOKENS = 512


def resolve(loaded: LoadedRecipe) -> tuple[dict[str, Any], dict[str, str]]:
    """What `auto` means on this machine, and why."""
    spec = loaded.recipe.train.spec.model_dump()
    rows = spec["global_batch_size"]
    most = _("computed: as many as `pack_tokens` allows, {rows} at most").format(rows=rows)
    automatic = {
        "packing": ("best-fit", _("computed: rows without padding")),
        "pack_tokens": (PACK_TOKENS, _("computed: usual for this device")),
        "micro_batch_size": (rows, most),
    }
    resolved: dict[str, Any] = {"device": "cpu", "dtype": "float32", "world_size": 1}
    reasons = dict.fromkeys((f"resolved.{key}" for key in resolved), _("computed"))
    for key, (value, why) in automatic.items():
        is_given = spec[key] != "auto"
        resolved[key] = spec[key] if is_given else value
        origin = loaded.origins.get(f"train.{key}", "default")
        reasons[f"resolved.{key}"] = origin if is_given else why
    resolved["learning_rate"], reasons["resolved.learning_rate"] = _learning_rate(loaded)
    return resolved, reasons


def _learning_rate(loaded: LoadedRecipe) -> tuple[float | str, str]:
    """The recipe's rate; of `auto`, the number where the recipe says how many steps there are."""
    spec, key = loaded.recipe.train.spec.model_dump(), "train.learning_rate"
    if spec["learning_rate"] != "auto":
        return spec["learning_rate"], loaded.origins.get(key, "default")
    trained = plugins.load("adapter", loaded.recipe.adapter.kind).TRAINS
    if spec["max_steps"] is None and trained == "update":
        short, long = learning_rate(trained, 1)[0], learning_rate(trained, SHORT_RUN)[0]
        why = _("auto: {short:g} under {steps} steps, else {long:g}; settled once rows are counted")
        return "auto", why.format(short=short, long=long, steps=SHORT_RUN)
    return learning_rate(trained, spec["max_steps"] or SHORT_RUN)
