"""Adapter `ia3`: a trained factor for each output of the chosen layers, and nothing else.

By far the smallest update; it learns a style or a format rather than facts. The paper scales keys,
values and what stands inside the feed-forward layer; here every linear layer's outputs by default,
which any family has. Source: Liu et al. (2022), "Few-Shot Parameter-Efficient Fine-Tuning is Better
and Cheaper than In-Context Learning", https://arxiv.org/abs/2205.05638, section 3.3.
"""

from typing import Any

from foundry.train.update_layers import Placed, attach_update

TRAINS = "update"
BASE = "full"
LOW_RANK = False
TIMES_RATE = 15.0  # 3e-3, the rate of the paper (section 3.3), over LoRA's 2e-4


class Spec(Placed):
    """Which layers are scaled."""


def attach(model: Any, spec: Spec) -> Any:
    """Put the factors, all 1 at first, on the chosen layers.

    Raises:
        RecipeError: A name in `target_modules` matches no layer (C18).
    """
    return attach_update(model, spec.target_modules, "IA3Config", feedforward_modules=[])


def numbers(inputs: int, outputs: int, spec: Spec) -> int:
    """Trained numbers of a layer."""
    return outputs
