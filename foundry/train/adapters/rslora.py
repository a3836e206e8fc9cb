"""Adapter `rslora`: LoRA whose update keeps its size at high ranks, scaled by alpha / sqrt(rank).

With alpha / rank the update shrinks as the rank grows, so that a high rank learns no more than a
low one. Source: Kalajdzievski (2023), "A Rank Stabilization Scaling Factor for Fine-Tuning with
LoRA", https://arxiv.org/abs/2312.03732.
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

    alpha is 8, not LoRA's 32: at rank 16 the update then has the scale that LoRA has there, 2, and
    the same learning rate suits both.
    """

    alpha: Number = Field(
        8.0, gt=0, description="The update is multiplied by alpha / sqrt(rank); 2 at the defaults."
    )


def attach(model: Any, spec: Spec) -> Any:
    """Put the update beside the chosen layers, scaled by alpha / sqrt(rank) (C39).

    Raises:
        RecipeError: A name in `target_modules` matches no layer (C18).
    """
    return lora_layers.attach_lora(model, spec, alpha=spec.alpha, use_rslora=True)


numbers = lora_layers.numbers
