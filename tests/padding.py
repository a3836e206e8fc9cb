"""Ways to pad a batch of prompts that make the answers to the shorter ones worse (C26)."""

from collections.abc import Sequence

import torch

from foundry.runtime import transformers
from tests.cases import change

padded_left = transformers.padded_left
Batch = tuple[torch.Tensor, torch.Tensor]


def padded_right(prompts: Sequence[Sequence[int]], pad: int) -> Batch:
    """A shorter prompt is followed by its padding, and its answer comes after that."""
    ids, mask = padded_left([prompt[::-1] for prompt in prompts], pad)
    return ids.flip(1), mask.flip(1)


def unmasked(prompts: Sequence[Sequence[int]], pad: int) -> Batch:
    """The padding is read like the prompt."""
    ids, mask = padded_left(prompts, pad)
    return ids, torch.ones_like(mask)


PADDED_RIGHT = {
    "prompts are padded on the right": change(transformers, "padded_left", padded_right)
}
WRONG_PADDING = PADDED_RIGHT | {
    "padding is not masked": change(transformers, "padded_left", unmasked)
}
