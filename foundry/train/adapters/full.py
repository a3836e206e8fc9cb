"""Adapter `full`: no adapter; every weight of the language model is trained.

Learns more than an update can hold, and costs about sixteen bytes of memory a weight (itself, its
gradient and AdamW's two moments in float32). Embeddings and head are trained as the class has
them: one matrix where it ties them, two where it does not. What a multimodal class has beside its
language model stays as it is.
"""

from typing import Any

from foundry.core.fields import Closed

TRAINS = "weights"
BASE = "full"


class Spec(Closed):
    """Nothing to choose: all weights are trained."""


def attach(model: Any, spec: Spec) -> Any:
    """Let the language part and the head train, in float32, and nothing else."""
    from foundry.models.language_part import language_parameters

    model.requires_grad_(False)
    for parameter in language_parameters(model):
        parameter.requires_grad_(True)
    return model
