"""Rows -> one micro-batch: laid one after the other, or side by side.

`flat` isolates rows by position ids, which restart at 0 with each, and by their lengths where
attention reads them (`batches/attention.py`). Else transformers builds a block-diagonal mask
from the positions (`masking_utils.find_packed_sequence_indices`) as long as no attention mask and
no cache is passed. So a row cannot see another (C14). There is no padding, hence no pad id to be
mistaken for an end (C01).

`padded` fills up behind each row. In a causal model nothing before a position depends on what comes
after it, so no mask is needed, and no label lies on the filling.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from foundry.encode.tokenize import IGNORED

FILLING = 0  # any id of the vocabulary


def flat(
    rows: Sequence[Mapping[str, Any]], *, zeros: Sequence[str] = (), by_row: bool = False
) -> dict[str, Any]:
    """Join rows with the keys `id`, `input_ids`, `labels`.

    Args:
        rows: What to join.
        zeros: Names of further inputs, which are 0 at each token; see `token_type_inputs`.
        by_row: Whether to say in `row_lengths` how many tokens each row has.

    Returns:
        `input_ids`, `position_ids`, `labels` and the `zeros`, each int64 of shape (1, T) with T
        the sum of the rows' lengths; `row_ids`, the rows' ids in order, and `tokens`, T.
    """
    ids = [token for row in rows for token in row["input_ids"]]
    labels = [label for row in rows for label in _without_first(row["labels"])]
    lengths = [len(row["input_ids"]) for row in rows]
    positions = [position for length in lengths for position in range(length)]
    return {
        "input_ids": torch.tensor([ids]),
        "position_ids": torch.tensor([positions]),
        "labels": torch.tensor([labels]),
        "row_ids": [row["id"] for row in rows],
        "tokens": len(ids),
        **({"row_lengths": lengths} if by_row else {}),
        **{name: torch.zeros((1, len(ids)), dtype=torch.int64) for name in zeros},
    }


def padded(rows: Sequence[Mapping[str, Any]], *, zeros: Sequence[str] = ()) -> dict[str, Any]:
    """Put rows side by side: as `flat`, but of shape (B, T) with T the longest row's length.

    `tokens` counts those of the rows alone; there are no `position_ids`, which begin at 0 anyway.
    """
    longest = max(len(row["input_ids"]) for row in rows)
    ids = [_filled(row["input_ids"], longest, FILLING) for row in rows]
    labels = [_filled(_without_first(row["labels"]), longest, IGNORED) for row in rows]
    return {
        "input_ids": torch.tensor(ids),
        "labels": torch.tensor(labels),
        "row_ids": [row["id"] for row in rows],
        "tokens": sum(len(row["input_ids"]) for row in rows),
        **{name: torch.zeros((len(rows), longest), dtype=torch.int64) for name in zeros},
    }


def on_device(batch: Mapping[str, Any], device: torch.device) -> dict[str, Any]:
    """A micro-batch whose tensors lie on a device; everything else stays as it is."""
    return {
        name: value.to(device) if isinstance(value, torch.Tensor) else value
        for name, value in batch.items()
    }


def _filled(values: Sequence[int], length: int, filling: int) -> list[int]:
    return [*values, *[filling] * (length - len(values))]


def _without_first(labels: Sequence[int]) -> list[int]:
    """The first token of a row would be predicted from the row before it: never supervised."""
    return [IGNORED, *labels[1:]]
