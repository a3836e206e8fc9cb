"""The reward that a reward model gives to whole conversations, each read by itself."""

# N conversations, H hidden width

from collections.abc import Sequence
from typing import Any

import torch


def rewards_at(model: Any, hidden_NH: torch.Tensor) -> torch.Tensor:
    """The rewards of hidden states at the last tokens of conversations, float32, shape (N,).

    Args:
        model: A reward model, with or without an update around it.
        hidden_NH: After the last norm, in the numbers of the model.
    """
    with torch.autocast(hidden_NH.device.type, enabled=False):
        rewards_N: torch.Tensor = model.score(hidden_NH.float())[:, 0]
    return rewards_N


@torch.no_grad()
def rewards_of(model: Any, conversations: Sequence[Sequence[int]]) -> torch.Tensor:
    """The reward of each conversation, by its ids; float32 on the CPU, shape (N,).

    Each goes through the model alone, so that nothing is filled up and no id is taken for filling.
    """
    model.eval()
    decoder, ends = model.get_decoder(), []
    for ids in conversations:
        ids_1T = torch.tensor([list(ids)], device=model.device)
        ends.append(decoder(input_ids=ids_1T, use_cache=False).last_hidden_state[0, -1])
    return rewards_at(model, torch.stack(ends)).cpu()
