"""Rows over the length limit: left out whole and counted, never cut short (C11, C61)."""

from dataclasses import replace

from foundry.core.language import gettext as _
from foundry.core.records import Refusal
from foundry.encode.mask_report import OVER_LENGTH, MaskReport
from foundry.encode.rows import Encoded


def within(encoded: Encoded, limit: int, report: MaskReport) -> Encoded | None:
    """An example without its rows of more than `limit` tokens; None where no row is left."""
    if encoded.longest <= limit:
        return encoded
    if encoded.example.rejected is not None:
        _drop(encoded, encoded.longest, limit, report)
        return None
    kept = [n for n, piece in enumerate(encoded.pieces) if len(piece.ids) <= limit]
    for n, piece in enumerate(encoded.pieces):
        if n not in kept:
            _drop(encoded, len(piece.ids), limit, report)
    if not kept:
        return None
    pieces = tuple(encoded.pieces[n] for n in kept)
    return replace(encoded, pieces=pieces, talks=encoded.talks[: len(pieces)])


def _drop(encoded: Encoded, length: int, limit: int, report: MaskReport) -> None:
    reason = _("{length} tokens, the limit is {limit}").format(length=length, limit=limit)
    example = encoded.example
    report.drop(Refusal(example.source, example.line, OVER_LENGTH, reason))
