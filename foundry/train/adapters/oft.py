"""Adapter `oft`: the inputs of the frozen layers are turned by trained rotations, block by block.

A rotation keeps angles between neurons, and with them more of what the base knows. Source: Qiu et
al. (2023), "Controlling Text-to-Image Diffusion by Orthogonal Finetuning",
https://arxiv.org/abs/2306.07280; turned inputs instead of weights: Qiu et al. (2025), "Orthogonal
Finetuning Made Scalable", https://arxiv.org/abs/2506.19847.
"""

from typing import Any

from pydantic import Field

from foundry.core.fields import Number
from foundry.train.update_layers import Placed, attach_update

TRAINS = "update"
BASE = "full"
LOW_RANK = False


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
        RecipeError: A name in `target_modules` matches no layer (C18).
    """
    return attach_update(
        model,
        spec.target_modules,
        "OFTConfig",
        r=0,
        oft_block_size=spec.block_size,
        module_dropout=spec.dropout,
        use_cayley_neumann=False,
    )


def numbers(inputs: int, outputs: int, spec: Spec) -> int:
    """Trained numbers of a layer."""
    return inputs * (spec.block_size - 1) // 2
