"""Adapter `lora-plus`: LoRA whose B learns faster than its A.

With one rate for both, a wide model learns less than it could. Source: Hayou, Ghosh and Yu (2024),
"LoRA+: Efficient Low Rank Adaptation of Large Models", https://arxiv.org/abs/2402.12354, section 4.
The rate of a recipe is A's. The authors have it "slightly smaller (e.g., by a factor of 2)" than
LoRA's where the ratio is large (README of their code, read in November 2026 in a copy,
https://github.com/Ignominy25/loraplus). On Gemma 3 270M, where LoRA learns well at 1.5e-3, half of
it for A had a loss of 31 in its third step, since B has 16 times that.
"""

from typing import Any

from pydantic import Field

from foundry.core.fields import Number
from foundry.train import lora_layers

TRAINS = "update"
BASE = "full"
LOW_RANK = True
TIMES_RATE = 0.5


class Spec(lora_layers.Places):
    """Size, scale and places of the update, and how much faster B learns."""

    alpha: Number = Field(
        32.0, gt=0, description="The update is multiplied by alpha / rank; 2 at the defaults."
    )
    ratio: Number = Field(16.0, ge=1, description="The learning rate of B over that of A.")


def attach(model: Any, spec: Spec) -> Any:
    """Put the update beside the chosen layers, scaled by alpha / rank.

    Raises:
        RecipeError: A name in `target_modules` matches no layer (C18).
    """
    return lora_layers.attach_lora(model, spec, alpha=spec.alpha)


numbers = lora_layers.numbers


def optimizer(
    model: Any, kind: type[Any], spec: Spec, *, weight_decay: float, **settings: Any
) -> Any:
    """An optimizer of a kind that has a group of its own for the faster part."""
    from peft.optimizers import create_loraplus_optimizer

    own = {"loraplus_lr_ratio": spec.ratio, "loraplus_weight_decay": weight_decay}
    return create_loraplus_optimizer(model, kind, **own, **settings)
