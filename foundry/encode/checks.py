"""What makes a row unfit for training, read from the ids and labels that training will read.

The mask was made from the text; here it is held against the ids: a stretch of labels begins and
ends with the characters of its answer, its first and last ids decode to them, and its last id is
the stop id (C01 to C06, C09).
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from foundry.core.errors import Problem
from foundry.core.language import gettext as _
from foundry.core.records import EncodedRow, Turn
from foundry.encode.mask import Span, squash, unwritten, writes
from foundry.encode.rows import Encoded
from foundry.encode.tokenize import IGNORED, Encoder, Piece

DECODED = 8  # ids at each end of a stretch; what lies between two right ends is one text
UNDECODABLE = "\ufffd"  # what a decoder makes of a character that was cut in two


class Stretch(NamedTuple):
    """A run of supervised positions, `start` included, `stop` excluded, and what its ends say."""

    start: int
    stop: int
    head: str = ""
    tail: str = ""


def check_many(batch: Sequence[Encoded], encoder: Encoder) -> list[list[Problem]]:
    """The faults of each example; empty for a good one."""
    pieces = [piece for encoded in batch for piece in encoded.pieces]
    stretches = iter(_stretches(pieces, encoder))
    return [
        [
            problem
            for n in range(len(encoded.pieces))
            for problem in _faults(encoded, n, next(stretches), encoder)
        ]
        for encoded in batch
    ]


def _stretches(pieces: Sequence[Piece], encoder: Encoder) -> list[list[Stretch]]:
    """The supervised stretches of each piece; their ends are decoded all at once."""
    heads = [p.ids[a : min(a + DECODED, b)] for p in pieces for a, b in p.runs]
    tails = [p.ids[max(a, b - DECODED) : b] for p in pieces for a, b in p.runs]
    texts = encoder.backend.decode_batch([*heads, *tails], skip_special_tokens=False)
    ends = iter(zip(texts[: len(heads)], texts[len(heads) :], strict=True))
    return [[Stretch(a, b, *next(ends)) for a, b in piece.runs] for piece in pieces]


def _faults(
    encoded: Encoded, n: int, stretches: Sequence[Stretch], encoder: Encoder
) -> Iterator[Problem]:
    example, piece = encoded.example, encoded.pieces[n]
    where = f"{example.source}:{example.line}"
    turns = encoded.talks[n].turns if encoded.talks else ()
    for what in _what(piece, turns, stretches, encoder):
        yield Problem(where, what, _("check the chat template of the base model"))


def _what(
    piece: Piece, turns: Sequence[Turn], stretches: Sequence[Stretch], encoder: Encoder
) -> Iterator[str]:
    count, total = piece.supervised, len(piece.ids)
    if not any(label != IGNORED for label in piece.labels[1:]) or (turns and count == total):
        yield _("{count} of {total} tokens are supervised").format(count=count, total=total)
    elif reach := _reaching_out(piece, stretches):
        what = _("tokens of the prompt are supervised ({text!r})")
        yield what.format(text=_text(piece, reach, encoder))
    elif (wrong := _wrong(piece, turns, stretches, encoder)) is not None:
        what = _("the supervised text is not the answer and its end ({text})")
        yield what.format(text=wrong)
    if _bos_count(piece.ids, encoder.bos_id) != 1:
        what = _("the row must begin with exactly one BOS; it begins with {ids}")
        yield what.format(ids=list(piece.ids[:3]))
    turns_ended, stops = len(piece.supervised_stops), len(piece.stops)
    if turns_ended != stops:
        what = _("{turns} assistant turns, but {stops} supervised stop ids")
        yield what.format(turns=stops, stops=turns_ended)


def _text(piece: Piece, stretch: Stretch, encoder: Encoder) -> str:
    ids = list(piece.ids[stretch.start : stretch.stop])
    return str(encoder.backend.decode(ids, skip_special_tokens=False))


def _reaching_out(piece: Piece, stretches: Sequence[Stretch]) -> Stretch | None:
    """The first stretch that begins before the first token with a character of its answer."""
    for stretch, span in zip(stretches, piece.masked.spans, strict=False):
        if stretch.start < piece.added or piece.place(stretch.start)[1] <= span.start:
            return stretch
    return None


def _wrong(
    piece: Piece, turns: Sequence[Turn], stretches: Sequence[Stretch], encoder: Encoder
) -> str | None:
    """The first supervised stretch that does not say what its assistant turn says."""
    spans = piece.masked.spans
    if len(stretches) != len(spans):
        return " … ".join(_text(piece, stretch, encoder) for stretch in stretches)
    for stretch, span in zip(stretches, spans, strict=True):
        said = piece.masked.text[span.start : span.stop]
        if turns and not says(said, turns[span.turn]):
            return said
        labels = piece.labels[stretch.start : stretch.stop]
        if labels != piece.ids[stretch.start : stretch.stop] or not _reads(
            piece, stretch, span, encoder
        ):
            return _text(piece, stretch, encoder)
    return None


def _reads(piece: Piece, stretch: Stretch, span: Span, encoder: Encoder) -> bool:
    """Whether the ends of a stretch decode to the ends of its text.

    The text begins before the answer where the first token does (C06), and some tokenizers change
    characters before they take it apart.
    """
    start = min(span.start, piece.place(stretch.start)[0])
    text = piece.masked.text[start : span.stop]
    head = squash(stretch.head.rstrip(UNDECODABLE))
    tail = squash(stretch.tail.lstrip(UNDECODABLE))
    said = squash(text)
    if said.startswith(head) and said.endswith(tail):
        return True
    said = squash(_normal(text, encoder))
    return said.startswith(head) and said.endswith(tail)


def says(said: str, turn: Turn) -> bool:
    """Whether a supervised text holds what its turn says, thinking within the content apart."""
    if unwritten(turn, said) is not None:
        return False
    return writes(turn.content, said)


def _normal(text: str, encoder: Encoder) -> str:
    normalizer = encoder.backend.normalizer
    return text if normalizer is None else str(normalizer.normalize_str(text))


def _bos_count(ids: Sequence[int], bos_id: int | None) -> int:
    """BOS ids at the head; 1 where the model has no BOS."""
    if bos_id is None:
        return 1
    return next((n for n, token in enumerate(ids) if token != bos_id), 0)


def supervised_tokens(row: EncodedRow) -> int:
    """Positions of a row on which a loss is taken."""
    return sum(label != IGNORED for label in row.labels)
