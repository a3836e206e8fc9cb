"""What is counted over encoded rows, in whatever process they were made."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, fields

from foundry.core.errors import Problem
from foundry.core.records import Refusal
from foundry.encode.losses import added, left_out
from foundry.encode.rows import Encoded
from foundry.encode.samples import Samples
from foundry.encode.tokenize import Piece

FORMS = 20  # texts of the template's own that are told apart
HISTOGRAM_STEP = 64
OVER_LENGTH = "over-length"


def _add_counts(to: "OverLimit | Tally", later: "OverLimit | Tally") -> None:
    """Add each number of the one to that of the other."""
    for one in fields(later):
        if isinstance(count := getattr(later, one.name), int):
            setattr(to, one.name, getattr(to, one.name) + count)


@dataclass
class OverLimit:
    """Examples over the limit of tokens, and what became of them; `tokens_lost` are not trained.

    `dropped` counts rows, of which a template that writes turns otherwise further on makes several.
    """

    limit: int = 0
    policy: str = ""
    examples: int = 0
    dropped: int = 0
    cut: int = 0
    split: int = 0
    split_into: int = 0
    tokens_lost: int = 0

    def include(self, other: "OverLimit") -> None:
        """Add what another counted under the same limit."""
        _add_counts(self, other)
        self.limit, self.policy = other.limit, other.policy


@dataclass(kw_only=True)
class Tally:
    """Counts over the encoded rows of a batch or a part of the data.

    `dropped` counts examples and rows that are not trained, by code; `refusals` are all of them in
    their order until another tally takes them in.
    """

    type: str = ""
    examples: int = 0
    rows: int = 0
    tokens: int = 0
    supervised: int = 0
    longest: int = 0
    turns: int = 0
    straddling: int = 0
    split_conversations: int = 0
    split_rows: int = 0
    faults: list[Problem] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    refusals: list[Refusal] = field(default_factory=list)
    stops: Counter[int] = field(default_factory=Counter)
    lengths: Counter[int] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    added: Counter[str] = field(default_factory=Counter)
    over: OverLimit = field(default_factory=OverLimit)
    samples: Samples = field(default_factory=Samples)

    def add(self, encoded: Encoded, faults: Sequence[Problem]) -> None:
        """Count an example that is trained, and note what is wrong with it."""
        self.type = self.type or encoded.example.type
        self.faults += faults
        for row in encoded.rows:
            lengths = len(row.input_ids), len(row.rejected_input_ids)
            self.longest = max(self.longest, *lengths)
            self.lengths[max(lengths) // HISTOGRAM_STEP * HISTOGRAM_STEP] += 1
        self.rows += len(encoded.rows)
        for n, piece in enumerate(encoded.pieces):
            self._count(encoded, n, piece)
        self.straddling += any(piece.straddling for piece in encoded.pieces)
        if len(encoded.rows) > 1:
            self.split_conversations += 1
            self.split_rows += len(encoded.rows)
        self.samples.look_at(encoded)

    def _count(self, encoded: Encoded, n: int, piece: Piece) -> None:
        self.tokens += len(piece.ids)
        self.supervised += piece.supervised
        self.turns += len(piece.stops)
        for stop in piece.supervised_stops:
            self.stops[stop] += 1
        if not encoded.talks:
            return
        talk, masked = encoded.talks[n], piece.masked
        for what in left_out(talk, masked):
            self.lost[what] += 1
        for span in masked.spans:
            words = added(talk.turns[span.turn], masked.text[span.start : span.stop])
            if words is not None:
                self.added[words] += 1

    def drop(self, refusal: Refusal) -> None:
        """Count what is not trained."""
        self.dropped[refusal.code] += 1
        self.refusals.append(refusal)

    def include(self, later: "Tally") -> None:
        """Add what was counted of the examples that follow; its refusals are taken by `drop`."""
        self.type = self.type or later.type
        longest = max(self.longest, later.longest)
        _add_counts(self, later)
        self.longest = longest
        self.faults += later.faults
        for refusal in later.refusals:
            self.drop(refusal)
        self.stops.update(later.stops)
        self.lengths.update(later.lengths)
        self.lost.update(later.lost)
        for words, count in later.added.items():
            if words in self.added or len(self.added) < FORMS:
                self.added[words] += count
        self.over.include(later.over)
        self.samples.include(later.samples)
