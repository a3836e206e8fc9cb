"""Adapter `pissa`: LoRA that begins at the largest singular vectors of the weights.

The update takes them over from the base, which keeps the rest, so that the model is unchanged and
what matters most of it trains first. What is saved stands on the original base: the trained update
less the first one, of twice the rank. Source: Meng et al. (2024), "PiSSA: Principal Singular Values
and Singular Vectors Adaptation of Large Language Models", https://arxiv.org/abs/2404.02948,
section 3.
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
    """Move the first singular vectors of the chosen layers into their updates.

    Raises:
        RecipeError: A name in `target_modules` matches no layer (C18).
    """
    return lora_layers.attach_moved(model, spec, "pissa")


numbers = lora_layers.numbers
