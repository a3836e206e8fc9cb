"""Adapter `dora`: LoRA that turns the weights' directions, with a trained length for each output.

The weights are W · m / ‖W‖ with the update added to W inside; m, a number for each output, trains
too. It learns more at low ranks, and a step takes longer, since the norms of whole matrices are
made anew. Source: Liu et al. (2024), "DoRA: Weight-Decomposed Low-Rank Adaptation",
https://arxiv.org/abs/2402.09353, section 4.1.
"""

from typing import Any

from pydantic import Field

from foundry.core.fields import Number
from foundry.train import lora_layers

TRAINS = "update"
BASE = "full"
LOW_RANK = False


class Spec(lora_layers.Places):
    """Size, scale and places of the update; as for `lora`."""

    alpha: Number = Field(
        32.0, gt=0, description="The update is multiplied by alpha / rank; 2 at the defaults."
    )


def attach(model: Any, spec: Spec) -> Any:
    """Put the update and the lengths beside the chosen layers; the model is unchanged at first.

    Raises:
        RecipeError: A name in `target_modules` matches no layer (C18).
    """
    return lora_layers.attach_lora(model, spec, alpha=spec.alpha, use_dora=True)


def numbers(inputs: int, outputs: int, spec: Spec) -> int:
    """Trained numbers of a layer."""
    return lora_layers.numbers(inputs, outputs, spec) + outputs
