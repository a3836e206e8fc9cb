"""Adapter `full`: no adapter; every weight of the language model is trained, or the last layers'.

Learns more than an update can hold, and costs about sixteen bytes of memory a trained weight
(itself, its gradient and AdamW's two moments in float32). Embeddings and head are trained as the
class has them: one matrix where it ties them, two where it does not. What a multimodal class has
beside its language model stays as it is.
"""

from typing import Any

from pydantic import Field

from foundry.core.fields import Closed

TRAINS = "weights"
BASE = "full"
LOW_RANK = False


class Spec(Closed):
    """Which weights are trained."""

    last_layers: int | None = Field(
        None,
        ge=1,
        description="Only so many decoder layers, the last ones, and the norm after them; "
        "every weight where absent.",
    )


def attach(model: Any, spec: Spec) -> Any:
    """Let the language part and the head train, in float32, and nothing else.

    Raises:
        RecipeError: The model has fewer layers than `last_layers`.
    """
    from foundry.models.language_part import language_parameters, last_parameters

    model.requires_grad_(False)
    some = spec.last_layers
    chosen = language_parameters(model) if some is None else last_parameters(model, some)
    for parameter in chosen:
        parameter.requires_grad_(True)
    return model
