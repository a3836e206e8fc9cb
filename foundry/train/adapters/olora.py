"""Adapter `olora`: LoRA that begins at an orthonormal basis of the weights.

The update begins as the first columns of a QR decomposition, and the base keeps the rest, so that
the model is unchanged. What is saved stands on the original base: the trained update less the
first one, of twice the rank. Source: Büyükakyüz (2024), "OLoRA: Orthonormal Low-Rank Adaptation of
Large Language Models", https://arxiv.org/abs/2406.01775, section 3.
"""

from typing import Any

from foundry.train import lora_layers

TRAINS = "update"
BASE = "full"
LOW_RANK = True
TIMES_RATE = None  # nobody has tried LoRA's rate for it


class Spec(lora_layers.MovedPlaces):
    """Size, scale and places of the update."""


def attach(model: Any, spec: Spec) -> Any:
    """Move the first columns of a decomposition of the chosen layers into their updates.

    Raises:
        RecipeError: A name in `target_modules` matches no layer (C18).
    """
    return lora_layers.attach_moved(model, spec, "olora")


numbers = lora_layers.numbers
