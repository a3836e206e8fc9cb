"""Adapter `hira`: the weights are multiplied, number by number, with 1 plus a low-rank matrix.

The change of the weights then has a high rank. A step holds matrices as large as the weights
themselves. Source: Huang et al. (2025), "HiRA: Parameter-Efficient Hadamard High-Rank Adaptation
for Large Language Models", ICLR 2025, https://openreview.net/forum?id=TwJrTz9cRS.
"""

from typing import Any

from pydantic import Field

from foundry.core.fields import Number
from foundry.train.update_layers import Placed, attach_update

TRAINS = "update"
BASE = "full"
LOW_RANK = False
TIMES_RATE = None  # nobody has tried LoRA's rate for it
HELD_MATRICES = 2  # the factor, and its product with the weights


class Spec(Placed):
    """Size and places of the factor."""

    rank: int = Field(
        32, ge=1, le=1024, description="Inner width of the factor; more learns more and costs more."
    )
    dropout: Number = Field(
        0.0, ge=0, lt=1, description="Share of the update's inputs dropped in training, 0 to 1."
    )


def attach(model: Any, spec: Spec) -> Any:
    """Put the factor, 1 at first, upon the weights of the chosen layers.

    Raises:
        RecipeError: A name in `target_modules` matches no layer (C18).
    """
    return attach_update(
        model, spec.target_modules, "HiraConfig", r=spec.rank, hira_dropout=spec.dropout
    )


def numbers(inputs: int, outputs: int, spec: Spec) -> int:
    """Trained numbers of a layer."""
    return spec.rank * (inputs + outputs)
