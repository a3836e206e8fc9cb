"""Rows -> one flat micro-batch without padding, isolated by position ids.

Several rows lie one after the other in a single sequence; `position_ids` restart at 0 with each.
transformers builds a block-diagonal mask from that (`masking_utils.find_packed_sequence_indices`)
as long as no attention mask and no cache is passed, so a row cannot see another (C14). There is no
padding, hence no pad id to be mistaken for an end (C01).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from foundry.encode.tokenize import IGNORED


def flat(rows: Sequence[Mapping[str, Any]], *, zeros: Sequence[str] = ()) -> dict[str, Any]:
    """Join rows with the keys `id`, `input_ids`, `labels`.

    Args:
        rows: What to join.
        zeros: Names of further inputs, which are 0 at each token; see `token_type_inputs`.

    Returns:
        `input_ids`, `position_ids`, `labels` and the `zeros`, each int64 of shape (1, T) with T
        the sum of the rows' lengths, and `row_ids`, the rows' ids in order.
    """
    ids = [token for row in rows for token in row["input_ids"]]
    labels = [label for row in rows for label in _without_first(row["labels"])]
    positions = [position for row in rows for position in range(len(row["input_ids"]))]
    return {
        "input_ids": torch.tensor([ids]),
        "position_ids": torch.tensor([positions]),
        "labels": torch.tensor([labels]),
        "row_ids": [row["id"] for row in rows],
        **{name: torch.zeros((1, len(ids)), dtype=torch.int64) for name in zeros},
    }


def _without_first(labels: Sequence[int]) -> list[int]:
    """The first token of a row would be predicted from the row before it: never supervised."""
    return [IGNORED, *labels[1:]]
