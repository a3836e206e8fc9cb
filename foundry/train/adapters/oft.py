"""Adapter `oft`: the inputs of the frozen layers are turned by trained rotations, block by block.

A rotation keeps angles between neurons, and with them more of what the base knows. Source: Qiu et
al. (2023), "Controlling Text-to-Image Diffusion by Orthogonal Finetuning",
https://arxiv.org/abs/2306.07280; turned inputs instead of weights: Qiu et al. (2025), "Orthogonal
Finetuning Made Scalable", https://arxiv.org/abs/2506.19847.
"""

import math
from collections.abc import Mapping
from typing import Any

from pydantic import Field

from foundry.core.errors import Problem, RecipeError
from foundry.core.fields import Number
from foundry.core.language import gettext as _
from foundry.train.update_layers import Placed, attach_update

TRAINS = "update"
BASE = "full"
LOW_RANK = False
TIMES_RATE = None  # nobody has tried LoRA's rate for it


class Spec(Placed):
    """Size and places of the rotations."""

    block_size: int = Field(
        32, ge=2, le=1024, description="Inputs turned together; more learns more and costs more."
    )
    dropout: Number = Field(
        0.0, ge=0, lt=1, description="Share of the blocks left unturned in training, 0 to 1."
    )


def attach(model: Any, spec: Spec) -> Any:
    """Put the rotations, which turn nothing at first, before the chosen layers.

    Raises:
        RecipeError: A name in `target_modules` matches no layer (C18), or the inputs of one do not
            come out even in blocks.
    """
    _check_blocks(model, spec)
    return attach_update(
        model,
        spec.target_modules,
        "OFTConfig",
        r=0,
        oft_block_size=spec.block_size,
        module_dropout=spec.dropout,
        use_cayley_neumann=False,
    )


def _check_blocks(model: Any, spec: Spec) -> None:
    """Refuse a size that PEFT 0.21 would change for some layers with no more than a warning."""
    from foundry.models.language_part import linear_layers

    chosen = spec.target_modules
    inputs = {
        name.rsplit(".", 1)[-1]: layer.in_features
        for name, layer in linear_layers(model).items()
        if chosen == "all-linear" or name.rsplit(".", 1)[-1] in chosen
    }
    uneven = {name: count for name, count in inputs.items() if count % spec.block_size}
    if uneven:
        raise RecipeError(_uneven(spec.block_size, uneven, math.gcd(*inputs.values())))


def _uneven(size: int, uneven: Mapping[str, int], common: int) -> Problem:
    """What is wrong with a size, and the nearest that divides the inputs of all layers."""
    name, count = next(iter(uneven.items()))
    what = _("blocks of {size} do not divide the {count} inputs of `{name}`")
    fitting = [one for one in range(2, min(common, 1024) + 1) if common % one == 0]
    nearest = min(fitting, key=lambda one: abs(one - size), default=None)
    fix = _("name layers in `adapter.target_modules` whose inputs have a divisor in common")
    if nearest is not None:
        fix = _("set it to {size}").format(size=nearest)
    return Problem("adapter.block_size", what.format(size=size, count=count, name=name), fix)


def numbers(inputs: int, outputs: int, spec: Spec) -> int:
    """Trained numbers of a layer."""
    return inputs * (spec.block_size - 1) // 2
