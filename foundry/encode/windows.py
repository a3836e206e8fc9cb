"""Plain text longer than a row -> windows of whole characters; a very long one slice by slice."""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from foundry.encode.mask import Masked, Span
from foundry.encode.tokenize import IGNORED, Encoder, Piece

SLICE_CHARS = 1 << 17


def slices(text: str) -> Iterator[str]:
    """The text in order, in slices that end after a line where there is one in their last half."""
    at = 0
    while at < len(text):
        size = _share(len(text) - at, SLICE_CHARS)
        stop = at + size
        line = text.rfind("\n", at + size // 2, stop) + 1
        stop = line if line and stop < len(text) else stop
        yield text[at:stop]
        at = stop


def _share(left: int, most: int) -> int:
    """How much of what is left goes first where it is cut into as few equal shares as possible.

    Asked anew for each, so that a share that ends early leaves no tiny one at the end: a window of
    nothing but an EOS would teach to end at once.
    """
    return math.ceil(left / math.ceil(left / most))


def count_tokens(text: str, encoder: Encoder) -> int:
    """Tokens of a text, each slice counted by itself."""
    encode = encoder.backend.encode
    return sum(len(encode(some, add_special_tokens=False)) for some in slices(text))


def windows(masked: Masked, tokens: Any | None, encoder: Encoder, limit: int) -> Iterator[Piece]:
    """A plain text in windows of at most `limit` tokens, each after a BOS; the last has the EOS.

    Args:
        masked: The text as `encode.rows` masks it.
        tokens: The text as it was tokenised; None for one that must be taken slice by slice.
        encoder: Whose BOS each window gets.
        limit: Most tokens of a window, at least 2.
    """
    if tokens is not None:
        yield from _cut(masked, tokens, encoder, limit)
        return
    (span,) = masked.spans
    at = 0
    for text in slices(masked.text):
        is_last = at + len(text) == len(masked.text)
        terminator = span.terminator if is_last else ""
        own = Span(span.start if at == 0 else 0, len(text), terminator)
        made = encoder.backend.encode(text, add_special_tokens=False)
        yield from _cut(Masked(text, (own,)), made, encoder, limit)
        at += len(text)


def _cut(masked: Masked, tokens: Any, encoder: Encoder, limit: int) -> Iterator[Piece]:
    ids, places = tokens.ids, tokens.offsets
    (span,) = masked.spans
    room = limit - (encoder.bos_id is not None)
    at = 0
    while at < len(ids):
        stop = at + _share(len(ids) - at, room)
        while at + 1 < stop < len(ids) and places[stop][0] < places[stop - 1][1]:
            stop -= 1  # the character would be torn in two
        whole = encoder.once_bos(ids[at:stop])
        start = 1 if encoder.bos_id is not None else 0
        own = Span(
            max(span.start, places[at][0]),
            places[stop - 1][1],
            span.terminator if stop == len(ids) else "",
        )
        yield Piece(
            masked=replace(masked, spans=(own,)),
            ids=tuple(whole),
            labels=(*[IGNORED] * start, *whole[start:]),
            stops=(encoder.special[own.terminator],) if own.terminator else (),
            tokens=tokens,
            added=len(whole) - (stop - at),
            first=at,
        )
        at = stop
