"""Log-probabilities of given continuations under a transformers model, in batches.

Rows are padded on the left, so that every row's continuation stands at the end and logits are made
for those places alone: a vocabulary of 262,144 takes 1 MiB a token. Positions are counted from each
row's own first token, because only `generate` does that by itself (C26).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any

import torch

from foundry.runtime.contract import LogLikelihood
from foundry.runtime.shared_prefix import SharedPrefix

# Bytes of float32 logits at once; as many again are in use while they are summed.
LOGITS_BYTES = 1 << 29
FLOAT32_BYTES = 4


@dataclass(frozen=True)
class Scored:
    """A continuation and the prompt before it, as ids."""

    prompt: tuple[int, ...]
    continuation: tuple[int, ...]

    @cached_property
    def read(self) -> tuple[int, ...]:
        """What the model reads: everything but the last token, after which nothing is asked."""
        return (*self.prompt, *self.continuation[:-1])


def batches(
    scored: Sequence[Scored], *, size: int, vocabulary: int
) -> Iterator[list[list[Scored]]]:
    """Batches of rows; a row holds every continuation that reads the same ids.

    Rows of like length share a batch of at most `size` rows and `LOGITS_BYTES` of logits.

    Raises:
        ValueError: A prompt or a continuation is empty.
    """
    if any(not one.prompt or not one.continuation for one in scored):
        raise ValueError("neither a prompt nor a continuation may be empty")
    # A row's places follow from its continuations' length, so that rows differ in it.
    order = sorted(dict.fromkeys(scored), key=_row)
    keyed = groupby(order, key=_row)
    batch: list[list[Scored]] = []
    places = 0
    for (_size, _read, length), same in keyed:
        places = max(places, length)
        cost = (len(batch) + 1) * places * vocabulary * FLOAT32_BYTES
        if batch and (len(batch) == size or cost > LOGITS_BYTES):
            yield batch
            batch, places = [], length
        batch.append(list(same))
    if batch:
        yield batch


def _row(one: Scored) -> tuple[int, tuple[int, ...], int]:
    """What continuations of one row have in common; short rows first."""
    return len(one.read), one.read, len(one.continuation)


def scored_batch(
    model: Any,
    ids_BT: torch.Tensor,
    mask_BT: torch.Tensor,
    rows: Sequence[Sequence[Scored]],
    shared: SharedPrefix | None = None,
) -> Mapping[Scored, LogLikelihood]:
    """Read one batch, and look up what every row's continuations are worth.

    Args:
        model: The language model.
        ids_BT: Ids of each row, padded on the left, int64.
        mask_BT: 0 where an id is padding, else 1.
        rows: For each row the continuations that read it, all of one length.
        shared: What every prompt begins with, if that has been read.
    """
    longest = max(len(row[0].continuation) for row in rows)
    positions_BT = (mask_BT.cumsum(dim=1) - 1).clamp(min=0)
    device = model.get_input_embeddings().weight.device
    start, read = 0, {}
    if shared is not None:
        start, read = shared.length, {"cache": shared.cache((mask_BT == 0).sum(dim=1).tolist())}
    logits_BKV = model(
        input_ids=ids_BT[:, start:].to(device),
        attention_mask=mask_BT.to(device),
        position_ids=positions_BT[:, start:].to(device),
        **read,
        logits_to_keep=longest,
        use_cache=False,
    ).logits
    return {
        one: _likelihood(logits_KV[-len(one.continuation) :].float(), one.continuation)
        for row, logits_KV in zip(rows, logits_BKV, strict=True)
        for one in row
    }


def _likelihood(logits_KV: torch.Tensor, continuation: Sequence[int]) -> LogLikelihood:
    ids_K = torch.tensor(continuation, device=logits_KV.device)
    chosen_K = logits_KV.gather(1, ids_K[:, None])[:, 0] - logits_KV.logsumexp(dim=1)
    is_greedy = bool((logits_KV.argmax(dim=1) == ids_K).all())
    return LogLikelihood(float(chosen_K.double().sum()), len(continuation), is_greedy)
