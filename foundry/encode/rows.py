"""Examples -> rows of ids and labels, many at a time, each by its dataset type.

A conversation supervises every assistant turn; a preference and an unpaired preference the last
one, on both sides; a text everything but its BOS.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from foundry.core.errors import DataError, Problem
from foundry.core.language import gettext as _
from foundry.core.records import EncodedRow, Example, Refusal, Turn
from foundry.encode.forged import forged, forged_in
from foundry.encode.mask import Masked, Span, TurnRefusedError
from foundry.encode.masking import Outcome, Talk, mask_many
from foundry.encode.tokenize import IGNORED, Encoder, Piece


@dataclass(frozen=True)
class Encoded:
    """The pieces of which the rows of an example are made.

    A preference has two, the better answer and the worse one; any other example one for each row.
    `talks` are the turns of each piece, the recipe's system turn among them; none for a text.
    """

    example: Example
    pieces: tuple[Piece, ...]
    talks: tuple[Talk, ...] = ()

    @cached_property
    def rows(self) -> tuple[EncodedRow, ...]:
        """What is trained: one row, unless the template writes a turn otherwise further on."""
        name, label = self.example.id, self.example.label
        if self.example.rejected is not None:
            a, b = self.pieces
            margin = self.example.margin
            return (EncodedRow(name, a.ids, a.labels, b.ids, b.labels, margin=margin),)
        if len(self.pieces) == 1:
            return (EncodedRow(name, self.pieces[0].ids, self.pieces[0].labels, label=label),)
        return tuple(
            EncodedRow(f"{name}/{n}", piece.ids, piece.labels, label=label)
            for n, piece in enumerate(self.pieces, start=1)
        )

    @property
    def row(self) -> EncodedRow:
        """The row of the whole conversation, and the only one of most examples."""
        return self.rows[-1]

    @property
    def longest(self) -> int:
        """Tokens of the longest side of the longest row."""
        return max(len(piece.ids) for piece in self.pieces)


def encode(example: Example, encoder: Encoder) -> Encoded:
    """Ids and labels of one example.

    Raises:
        DataError: The example cannot be trained; says why.
    """
    (made,) = encode_many([example], encoder)
    if isinstance(made, Refusal):
        raise DataError(Problem(f"{made.source}:{made.line}", made.reason))
    return made


def encode_many(examples: Sequence[Example], encoder: Encoder) -> list[Encoded | Refusal]:
    """Ids and labels of many examples; a refusal for one that cannot be trained.

    Raises:
        DataError: The template or the tokenizer can be used for no row.
    """
    talks = [_talks(example, encoder) for example in examples]
    check_system(encoder)
    forgeries = [forgery(*both, encoder) for both in zip(examples, talks, strict=True)]
    asked = [[] if no else some for some, no in zip(talks, forgeries, strict=True)]
    outcomes = iter(mask_many([t for some in asked for t in some], encoder.chat, encoder.control))
    masked = [
        no or _masked(example, [next(outcomes) for _talk in some], encoder)
        for example, some, no in zip(examples, asked, forgeries, strict=True)
    ]
    texts = [text for one in masked if not isinstance(one, Refusal) for text in one]
    pieces = iter(encoder.pieces(texts))
    return [
        one if isinstance(one, Refusal) else _made(example, some, [next(pieces) for _text in one])
        for example, some, one in zip(examples, talks, masked, strict=True)
    ]


def _talks(example: Example, encoder: Encoder) -> list[Talk]:
    """What is rendered of an example: nothing, its conversation, or both of a preference."""
    if example.text:
        return []
    turns, tools = encoder.with_system(example.messages), example.tools
    last_only = example.type != "conversation"
    made = [Talk(turns, tools, last_only)]
    if example.rejected is not None:
        made.append(Talk((*turns[:-1], example.rejected), tools, last_only))
    return made


def check_system(encoder: Encoder) -> None:
    """Refuse a recipe's system text that holds a control token: it would stand in every row.

    Raises:
        DataError: Names the token.
    """
    if token := forged(encoder.system or "", encoder.turning):
        what = _("the text holds `{token}`, which the model reads as a control token of its own")
        fix = _("write it otherwise")
        raise DataError(Problem("encode.system", what.format(token=token), fix))


def forgery(example: Example, talks: Sequence[Talk], encoder: Encoder) -> Refusal | None:
    """Why an example is refused whose own words end or open a turn; None for any other."""
    token, turning = None, encoder.turning
    if example.text:
        inner = example.text.removeprefix(encoder.bos_token).removesuffix(encoder.eos_token)
        token = forged(inner, turning)
    found = token or next((no for t in talks if (no := forged_in(t.turns, t.tools, turning))), None)
    if found is None:
        return None
    what = _("its words hold `{token}`, which the model reads as a control token of its own")
    return Refusal(example.source, example.line, "control-token", what.format(token=found))


def _masked(
    example: Example, outcomes: Sequence[Outcome], encoder: Encoder
) -> tuple[Masked, ...] | Refusal:
    """The masked texts of an example, or the first reason to refuse it."""
    if example.text:
        return (text_of(example.text, encoder),)
    made = list[Masked]()
    for outcome in outcomes:
        if isinstance(outcome, TurnRefusedError):
            return Refusal(example.source, example.line, outcome.code, outcome.reason)
        made += outcome
    return tuple(made)


def text_of(text: str, encoder: Encoder) -> Masked:
    """A plain text: everything supervised but a BOS of its own, and the EOS once at its end."""
    if not encoder.eos_token:
        what = _("the tokenizer has no EOS, so that a text would have no end to learn")
        raise DataError(Problem("tokenizer", what, _("choose a base model that has one")))
    start = len(encoder.bos_token) if text.startswith(encoder.bos_token) else 0
    whole = text if text.endswith(encoder.eos_token) else text + encoder.eos_token
    return Masked(whole, (Span(start, len(whole), encoder.eos_token),))


def _made(example: Example, talks: Sequence[Talk], pieces: Sequence[Piece]) -> Encoded | Refusal:
    if example.rejected is not None:
        return _pair(example, talks, pieces)
    return Encoded(example, tuple(pieces), tuple(talks) * len(pieces))


def _pair(example: Example, talks: Sequence[Talk], pieces: Sequence[Piece]) -> Encoded | Refusal:
    """A preference: both sides have the same ids up to where either answer begins (C25)."""
    if not all(_says_something(talk.turns[-1]) for talk in talks):
        what = _("one of the two answers is empty")
        return Refusal(example.source, example.line, "empty-answer", what)
    first, second = pieces
    seam = min(common(first.ids, second.ids), _first(first), _first(second))
    chosen, rejected = (_supervised_from(piece, seam) for piece in pieces)
    if _trained(chosen) == _trained(rejected):
        what = _("both answers have the same tokens")
        return Refusal(example.source, example.line, "same-answer", what)
    return Encoded(example, (chosen, rejected), tuple(talks))


def _says_something(turn: Turn) -> bool:
    return bool(turn.content.strip() or turn.tool_calls)


def _supervised_from(piece: Piece, seam: int) -> Piece:
    """The piece supervised from `seam` on, which a merge on the other side may have set."""
    if seam == _first(piece):
        return piece
    end = len(piece.labels) - _first(replace(piece, labels=piece.labels[::-1]))
    labels = (*piece.labels[:seam], *piece.ids[seam:end], *piece.labels[end:])
    (span,) = piece.masked.spans
    spans = (replace(span, start=piece.place(seam)[0]),)
    return replace(piece, labels=labels, masked=replace(piece.masked, spans=spans))


def _trained(piece: Piece) -> list[int]:
    return [label for label in piece.labels if label != IGNORED]


def _first(piece: Piece) -> int:
    """The first supervised position; their number where there is none."""
    return next((n for n, label in enumerate(piece.labels) if label != IGNORED), len(piece.labels))


def common(first: Sequence[int], second: Sequence[int]) -> int:
    """How many ids both begin with."""
    pairs = zip(first, second, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(first), len(second)))
