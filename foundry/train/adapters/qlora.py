"""Adapter `qlora`: LoRA on a base whose linear layers are stored in four bits while it trains.

The base is read in NF4 with double quantisation, for training alone: what is merged, exported and
evaluated stands on the unquantised base (C30). Source: Dettmers et al. (2023), "QLoRA: Efficient
Finetuning of Quantized LLMs", https://arxiv.org/abs/2305.14314.
"""

from typing import Any

from pydantic import Field

from foundry.core.fields import Number
from foundry.train import lora_layers

TRAINS = "update"
BASE = "nf4"
LOW_RANK = True


class Spec(lora_layers.Places):
    """Size, scale and places of the update; as for `lora`.

    The paper has an update on every linear layer too, without which four bits lose quality
    (section 4, figure 2). Blocks of 64 numbers and double quantisation are the paper's (section 3)
    and not to be chosen.
    """

    alpha: Number = Field(
        32.0, gt=0, description="The update is multiplied by alpha / rank; 2 at the defaults."
    )


def attach(model: Any, spec: Spec) -> Any:
    """Put the update, in float32, beside the chosen layers, which hold four bits a number.

    Raises:
        RecipeError: A name in `target_modules` matches no layer (C18).
    """
    return lora_layers.attach_lora(model, spec, alpha=spec.alpha)


numbers = lora_layers.numbers
