"""Adapter `lora`: a trained low-rank update beside each frozen linear layer.

Source: Hu et al. (2021), "LoRA: Low-Rank Adaptation of Large Language Models",
https://arxiv.org/abs/2106.09685.
"""

from typing import Any

from pydantic import Field

from foundry.core.fields import Number
from foundry.train import lora_layers

TRAINS = "update"
BASE = "full"
LOW_RANK = True


class Spec(lora_layers.Places):
    """Size, scale and places of the update.

    alpha 32 whatever the rank, as in "LoRA Without Regret" (Schulman et al. 2025,
    https://thinkingmachines.ai/blog/lora), whose rates `learning_rate: auto` takes.
    """

    alpha: Number = Field(
        32.0, gt=0, description="The update is multiplied by alpha / rank; 2 at the defaults."
    )


def attach(model: Any, spec: Spec) -> Any:
    """Put the update beside the chosen layers, scaled by alpha / rank.

    Raises:
        RecipeError: A name in `target_modules` matches no layer (C18).
    """
    return lora_layers.attach_lora(model, spec, alpha=spec.alpha)


numbers = lora_layers.numbers
