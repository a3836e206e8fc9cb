"""Greedy answers of a batch, whose rows leave it once they have ended.

A batch goes on until its longest answer ends, and transformers computes the rows that ended before
to the same length. Here it is stopped as soon as half of the rows have ended, and goes on with the
others: at most twice the tokens that the answers have are computed, where a model's state can be
taken apart by rows. What a row is answered does not depend on the rows beside it (C26).

The likeliest token is taken, whatever the base's `generation_config.json` says; what counts from
the prompt there would begin anew where rows leave.

Source: `GenerationMixin.generate` of transformers 5.24, which takes up what a cache holds.
"""

# B rows, T ids: those of the prompts and those that were made

from collections.abc import Callable
from typing import Any

import torch

from foundry.models.greedy import OTHER_RULES

Ended = Callable[[torch.Tensor], torch.Tensor]
# Greedy choice, and nothing beside it, whatever the base declares.
GREEDY: dict[str, Any] = {
    **dict.fromkeys(OTHER_RULES),
    **{"do_sample": False, "num_beams": 1, "num_return_sequences": 1},
    "return_dict_in_generate": False,
}


def answers(
    model: Any,
    ids_BT: torch.Tensor,
    mask_BT: torch.Tensor,
    *,
    most: int,
    ended: Ended,
    cache: Any,
    **settings: Any,
) -> list[list[int]]:
    """The new ids of each row; what follows a row's end is of no meaning.

    Args:
        model: A causal language model.
        ids_BT: Prompts, padded on the left.
        mask_BT: 0 where they are padded.
        most: New ids of a row at most.
        ended: Given the new ids of some rows, which of them have ended; (B,), bool.
        cache: What has been read of the prompts, or an empty one; None for a model whose state
            cannot be taken apart by rows, which keeps all of them to the end.
        settings: Further ones of `generate`.
    """
    width = ids_BT.shape[1]
    left_B = torch.arange(len(ids_BT))
    made: dict[int, list[int]] = {}
    settings = GREEDY | settings
    if cache is not None:
        settings |= {"cache": cache, "use_cache": True}
    while len(left_B):
        ids_BT = model.generate(
            input_ids=ids_BT,
            attention_mask=mask_BT,
            max_new_tokens=width + most - ids_BT.shape[1],
            stopping_criteria=[_half(ended, width, may_leave=cache is not None)],
            **settings,
        )
        done_B = _done(ids_BT[:, width:], most, ended, may_leave=cache is not None)
        made |= dict(zip(left_B[done_B].tolist(), ids_BT[done_B, width:].tolist(), strict=True))
        ids_BT, mask_BT, left_B = ids_BT[~done_B], mask_BT[~done_B], left_B[~done_B]
        new = ids_BT.shape[1] - mask_BT.shape[1]
        mask_BT = torch.cat([mask_BT, mask_BT.new_ones(len(mask_BT), new)], dim=1)
        if len(left_B):
            cache.batch_select_indices((~done_B).nonzero()[:, 0])
    return [made[row] for row in range(len(made))]


def _half(ended: Ended, width: int, *, may_leave: bool) -> Any:
    """A criterion of `generate`: all rows stop where half of them have ended."""

    def stopped(ids_BT: torch.Tensor, _scores: Any, **_more: Any) -> torch.Tensor:
        done_B = ended(ids_BT[:, width:])
        enough = may_leave and 2 * int(done_B.sum()) >= len(done_B)
        return torch.ones_like(done_B) if enough else done_B

    return stopped


def _done(new_BT: torch.Tensor, most: int, ended: Ended, *, may_leave: bool) -> torch.Tensor:
    """Which rows need no more ids."""
    done_B = ended(new_BT)
    return done_B if may_leave and new_BT.shape[1] < most else torch.ones_like(done_B)
