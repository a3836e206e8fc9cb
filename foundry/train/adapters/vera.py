"""Adapter `vera`: LoRA whose A and B are random, frozen and shared by all layers.

Only two vectors a layer train, a factor for each inner number and one for each output, so that the
file is small. Source: Kopiczko, Blankevoort and Asano (2024), "VeRA: Vector-based Random Matrix
Adaptation", https://arxiv.org/abs/2310.11454, section 3.1.
"""

from typing import Any

from pydantic import Field

from foundry.core.fields import Number
from foundry.train.update_layers import Placed, attach_update

TRAINS = "update"
BASE = "full"
LOW_RANK = False
TIMES_RATE = 10.0  # 4e-3 beside 4e-4 for LoRA in the paper's own comparison (appendix A)


class Spec(Placed):
    """Size and places of the update; 256 is the paper's rank for language models (section 4.3)."""

    rank: int = Field(256, ge=1, le=4096, description="Inner width of the shared matrices.")
    dropout: Number = Field(
        0.0, ge=0, lt=1, description="Share of the update's inputs dropped in training, 0 to 1."
    )


def attach(model: Any, spec: Spec) -> Any:
    """Put the update beside the chosen layers; its factors of outputs begin at zero.

    Raises:
        RecipeError: A name in `target_modules` matches no layer (C18).
    """
    return attach_update(
        model, spec.target_modules, "VeraConfig", r=spec.rank, vera_dropout=spec.dropout
    )


def numbers(inputs: int, outputs: int, spec: Spec) -> int:
    """Trained numbers of a layer."""
    return spec.rank + outputs
