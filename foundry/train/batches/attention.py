"""Causal attention of each row of a pack by itself, so that no T x T mask is ever made.

transformers keeps rows of a pack apart with a mask over the whole pack, one for each kind of layer.
Here the rows' lengths go along with the inputs and each row is attended to alone. That is the same
mathematics, also where a pack or a row is longer than a sliding window. Whether a model's class
hands the lengths on, and asks of its attention no more than this, is found out by comparing logits
(`batches/packing.py`). On a GPU in half precision all rows go through torch's FlashAttention
in one call (`varlen_attn`); in other numbers, or with wider heads, SDPA takes each row there too.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import accumulate
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention

NAME = "foundry_rows"
# What FlashAttention computes in, and the widest head that it takes.
HALF, WIDEST_HEAD = (torch.float16, torch.bfloat16), 256


def attend(  # noqa: PLR0913 - transformers' interface
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    dropout: float = 0.0,
    scaling: float | None = None,
    sliding_window: int | None = None,
    row_lengths: Sequence[int] | None = None,
    **others: Any,
) -> tuple[torch.Tensor, None]:
    """An attention function as transformers calls it.

    Args:
        module: The attention layer.
        query: Shape (B, H, T, D).
        key: Shape (B, K, T, D); K divides H.
        value: As `key`.
        attention_mask: What a class made itself, which is then obeyed instead.
        dropout: Share of the weights dropped.
        scaling: Factor of the products of queries and keys.
        sliding_window: How many tokens back a token sees, itself included; None means all.
        row_lengths: Tokens of the rows that follow each other; None where each of the B is a row.
        others: What transformers hands on besides, such as the positions.

    Returns:
        Shape (B, T, H, D), and None for the weights.
    """
    if attention_mask is not None:
        from transformers.integrations.sdpa_attention import sdpa_attention_forward

        named = {"dropout": dropout, "scaling": scaling, **others}
        return sdpa_attention_forward(module, query, key, value, attention_mask, **named)
    query, key, value = (_as_product(tensor) for tensor in (query, key, value))
    lengths = list(row_lengths or [query.shape[2]])
    if len(query) == 1 and dropout == 0.0 and _is_flash(query):
        return _flash(query, key, value, lengths, (scaling, sliding_window)), None
    rows = zip(*(tensor.split(lengths, dim=2) for tensor in (query, key, value)), strict=True)
    attended = [_row(*row, dropout, scaling, sliding_window).transpose(1, 2) for row in rows]
    return torch.cat(attended, dim=1), None


def _row(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    dropout: float,
    scaling: float | None,
    window: int | None,
) -> torch.Tensor:
    """Attention of a row, shape (B, H, T, D).

    The queries of a group share keys and values as a batch of its own, which copies neither.
    """
    batch, heads, tokens, width = query.shape
    groups = key.shape[1]
    shape = (batch * groups, heads // groups, tokens, width)
    shared = (
        tensor.reshape(batch * groups, 1, tokens, tensor.shape[3]).expand(*shape[:3], -1)
        for tensor in (key, value)
    )
    mask = None if window is None or tokens <= window else _band(tokens, window, query.device)
    attended = scaled_dot_product_attention(
        query.reshape(shape),
        *shared,
        attn_mask=mask,
        dropout_p=dropout,
        is_causal=mask is None,
        scale=scaling,
    )
    return attended.reshape(batch, heads, tokens, -1)


@lru_cache(maxsize=4)
def _band(tokens: int, window: int, device: torch.device) -> torch.Tensor:
    """Whether a token (row) sees another (column): itself and the `window` - 1 before it."""
    everything = torch.ones(tokens, tokens, dtype=torch.bool, device=device)
    return everything.tril().triu(1 - window)


def _flash(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    lengths: Sequence[int],
    options: tuple[float | None, int | None],
) -> torch.Tensor:
    """All rows in one call of FlashAttention, shape (1, T, H, D)."""
    from torch.nn.attention.varlen import varlen_attn

    scaling, window = options
    borders = _borders(tuple(lengths), query.device)
    attended: torch.Tensor = varlen_attn(
        *(tensor[0].transpose(0, 1).contiguous() for tensor in (query, key, value)),
        borders,
        borders,
        max(lengths),
        max(lengths),
        scale=scaling,
        window_size=(-1 if window is None else window - 1, 0),
        enable_gqa=True,
    )
    return attended[None]


@lru_cache(maxsize=4)
def _borders(lengths: tuple[int, ...], device: torch.device) -> torch.Tensor:
    """Where each row begins and where the last one ends, int32 of shape (rows + 1,)."""
    return torch.tensor([0, *accumulate(lengths)], dtype=torch.int32, device=device)


def _as_product(tensor: torch.Tensor) -> torch.Tensor:
    """On a GPU under autocast in its numbers, as it casts what SDPA is given, not FlashAttention.

    Positions are turned into float32 queries and keys where weights are float32.
    """
    if not (tensor.is_cuda and torch.is_autocast_enabled("cuda")):
        return tensor
    return tensor.to(torch.get_autocast_dtype("cuda"))


def _is_flash(query: torch.Tensor) -> bool:
    return (
        query.is_cuda
        and query.dtype in HALF
        and query.shape[3] <= WIDEST_HEAD
        and _has_flash(query.device, query.shape[3])
    )


@lru_cache(maxsize=8)
def _has_flash(device: torch.device, width: int) -> bool:
    """Whether FlashAttention runs on the device, forward and backward, which is tried."""
    options = {"dtype": torch.bfloat16, "device": device, "requires_grad": True}
    tiny = torch.ones(1, 1, 2, width, **options)
    try:
        with torch.enable_grad():
            _flash(tiny, tiny, tiny, [2], (None, None)).sum().backward()
    except (RuntimeError, NotImplementedError, ImportError, TypeError):  # also of an older torch
        return False
    return True


@contextmanager
def attention_by_row(model: Any) -> Iterator[None]:
    """Inside, the language part of a transformers model attends by `attend`; then as before."""
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, attend)
    before = model.config.get_text_config()._attn_implementation
    _set(model, NAME)
    try:
        yield
    finally:
        _set(model, before)


def _set(model: Any, name: str) -> None:
    """In a class of several parts the vision tower, which is not causal, stays as it is."""
    parts = model.config.sub_configs
    model.set_attn_implementation({"text_config": name} if "text_config" in parts else name)
