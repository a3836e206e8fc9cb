"""Adapter `olora`: LoRA that begins at an orthonormal basis of the weights.

The update begins as the first columns of a QR decomposition, and the base keeps the rest, so that
the model is unchanged. What is saved stands on the original base: the trained update less the
first one, of twice the rank. Source: Büyükakyüz (2024), "OLoRA: Orthonormal Low-Rank Adaptation of
Large Language Models", https://arxiv.org/abs/2406.01775, section 3.
"""

from typing import Any

from pydantic import Field

from foundry.core.fields import Number
from foundry.train import lora_layers

TRAINS = "update"
BASE = "full"
LOW_RANK = True
MOVES_BASE = True


class Spec(lora_layers.Places):
    """Size, scale and places of the update.

    alpha is the rank where it is left out, a scale of 1.
    """

    alpha: Number | None = Field(
        None,
        gt=0,
        description="The update is multiplied by alpha / rank; by 1 where it is left out.",
    )


def attach(model: Any, spec: Spec) -> Any:
    """Move the first columns of a decomposition of the chosen layers into their updates.

    Raises:
        RecipeError: A name in `target_modules` matches no layer (C18).
    """
    return lora_layers.attach_lora(
        model, spec, alpha=spec.alpha or spec.rank, init_lora_weights="olora"
    )


def numbers(inputs: int, outputs: int, spec: Spec) -> int:
    """Trained numbers of a layer."""
    return lora_layers.numbers(inputs, outputs, spec)
