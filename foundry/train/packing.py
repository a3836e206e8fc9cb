"""Whether a model keeps rows apart that lie in one sequence: asked of the model, not of a list.

Where a class takes no notice of position ids that begin anew, a row sees the row before: Qwen3.5's
and Granite's recurrent layers on the CPU, and gpt-oss, whose attention is written out (engines.md
7). Then each row gets a forward pass of its own. The loss is the same: its sums are divided by the
supervised tokens of the whole step either way (C13, C14).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from foundry.core.records import EncodedRow
from foundry.train.collate import flat
from foundry.train.inputs import FitInputs

# In standard deviations of the logits. Float32 noise of eighteen tiny classes: 3e-6 at most; what
# the three classes above let through: 9e-3 at least.
LARGEST_NOISE = 1e-3
PROBE_TOKENS = 32


def with_rows_apart(inputs: FitInputs) -> FitInputs:
    """`inputs`, with one row in a micro-batch if the model lets packed rows see each other."""
    if inputs.micro_batch_size == 1 or keeps_rows_apart(inputs.model, inputs.rows):
        return inputs
    inputs.events.emit("train", "unpacked")
    return replace(inputs, micro_batch_size=1)


@torch.no_grad()
def keeps_rows_apart(model: Any, rows: Sequence[EncodedRow]) -> bool:
    """Whether the second of two rows has the logits it has alone. True where there is one row."""
    if len(rows) < 2:
        return True
    first, second = (list(row.input_ids[:PROBE_TOKENS]) for row in rows[:2])
    was_training = model.training
    model.eval()
    alone_TV = _logits(model, [second])
    packed_TV = _logits(model, [first, second])[len(first) :]
    model.train(was_training)
    difference = float((packed_TV - alone_TV).abs().max() / alone_TV.std())
    return difference <= LARGEST_NOISE


def _logits(model: Any, rows: Sequence[Sequence[int]]) -> torch.Tensor:
    """Float32 logits at every token of the rows in one sequence, shape (tokens, vocabulary)."""
    batch = flat([{"id": "", "input_ids": ids, "labels": ids} for ids in rows])
    tensors = {name: batch[name] for name in ("input_ids", "position_ids")}
    logits_TV: torch.Tensor = model(**tensors, use_cache=False).logits[0].float()
    return logits_TV
