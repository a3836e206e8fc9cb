"""What `auto` means in a recipe, and why."""

from typing import Any

from foundry.core import plugins
from foundry.core.errors import Problem, RecipeError
from foundry.core.language import gettext as _
from foundry.core.load import LoadedRecipe
from foundry.train.learning_rate import SHORT_RUN, learning_rate

# Tokens in one micro-batch on the CPU: beyond it time per token no longer falls (measured on two
# cores with Gemma-3-270m: 1 row of 100 tokens 14 ms a token, 8 rows in one 7 ms, 16 rows 7 ms).
MICRO_BATCH_TOKENS = 4096


def resolve(loaded: LoadedRecipe) -> tuple[dict[str, Any], dict[str, str]]:
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
    reasons["resolved.micro_batch_size"] = reason
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


def _not_a_divisor(loaded: LoadedRecipe, micro: int, total: int) -> Problem:
    key = "train.micro_batch_size"
    what = _("{key}: {micro} does not divide `global_batch_size` {total}")
    nearest = max(d for d in range(1, micro + 1) if total % d == 0)
    return Problem(
        loaded.origins[key],
        what.format(key=key, micro=micro, total=total),
        _("set it to {nearest}, or to `auto`").format(nearest=nearest),
    )
