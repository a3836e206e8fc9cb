"""Whether a model keeps rows apart that lie in one sequence: asked of the model, not of a list.

Where a class takes no notice of position ids that begin anew, a row sees the row before: Qwen3.5's
and Granite's recurrent layers on the CPU, and gpt-oss, whose attention is written out (engines.md
7). Then rows of like length lie side by side. The loss is the same: its sums are divided by the
supervised tokens of the whole step either way (C13, C14).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from foundry.core.records import EncodedRow
from foundry.train.arrange import Kind
from foundry.train.collate import flat, padded
from foundry.train.inputs import FitInputs

# In standard deviations of the logits. Float32 noise of eighteen tiny classes: 3e-6 at most; what
# the three classes above let through: 9e-3 at least.
LARGEST_NOISE = 1e-3
PROBE_TOKENS = 32


def with_rows_apart(inputs: FitInputs) -> FitInputs:
    """`inputs`, arranged such that no row sees another or what another is filled up with."""
    if inputs.arrangement.kind == "packed" and not keeps_rows_apart(inputs.model, inputs.rows):
        inputs.events.emit("train", "unpacked")
        inputs = _arranged(inputs, "padded")
    if inputs.arrangement.kind == "padded" and not bears_padding(inputs.model, inputs.rows):
        inputs = _arranged(inputs, "single")
    return inputs


def _arranged(inputs: FitInputs, kind: Kind) -> FitInputs:
    return replace(inputs, arrangement=replace(inputs.arrangement, kind=kind))


def keeps_rows_apart(model: Any, rows: Sequence[EncodedRow]) -> bool:
    """Whether the second of two rows has the logits it has alone. True where there is one row."""
    if len(rows) < 2:
        return True
    first, second = (_beginning(row, PROBE_TOKENS) for row in rows[:2])
    packed_TV = _logits(model, flat([first, second]))[0, len(first["input_ids"]) :]
    return _alike(packed_TV, _logits(model, flat([second]))[0])


def bears_padding(model: Any, rows: Sequence[EncodedRow]) -> bool:
    """Whether a row that is filled up to another's length has the logits it has alone."""
    short, long = (_beginning(rows[0], tokens) for tokens in (PROBE_TOKENS // 2, PROBE_TOKENS))
    side_by_side_BTV = _logits(model, padded([short, long]))
    alone_TV = _logits(model, flat([short]))[0]
    return _alike(side_by_side_BTV[0, : len(alone_TV)], alone_TV)


def _beginning(row: EncodedRow, tokens: int) -> dict[str, Any]:
    ids = list(row.input_ids[:tokens])
    return {"id": row.id, "input_ids": ids, "labels": ids}


def _alike(found_TV: torch.Tensor, alone_TV: torch.Tensor) -> bool:
    return float((found_TV - alone_TV).abs().max() / alone_TV.std()) <= LARGEST_NOISE


@torch.no_grad()
def _logits(model: Any, batch: Mapping[str, Any]) -> torch.Tensor:
    """Float32 logits at every position of a micro-batch, shape (B, T, vocabulary)."""
    names = ("input_ids", "position_ids")
    tensors = {name: batch[name] for name in names if name in batch}
    was_training = model.training
    model.eval()
    logits_BTV: torch.Tensor = model(**tensors, use_cache=False).logits.float()
    model.train(was_training)
    return logits_BTV
