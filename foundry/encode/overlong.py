"""Examples over the length limit: left out, cut in the prompt, or split; an answer is never cut.

(C11, C61.) An example that is too long for certain is never tokenised whole: it is counted, or cut
into windows, a slice at a time, so that a cell of 5 MB costs no more memory than a slice.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from foundry.core.language import gettext as _
from foundry.core.recipe import Encode
from foundry.core.records import Example, Refusal
from foundry.encode.rows import Encoded, encode_many, forgery, text_of
from foundry.encode.shorten import Shortener, chars_of, texts_of
from foundry.encode.tally import OVER_LENGTH, Tally
from foundry.encode.tokenize import Encoder
from foundry.encode.windows import count_tokens, windows


@dataclass(frozen=True)
class Fitter:
    """Brings examples within `settings.max_seq_len` and counts in `tally` what that costs."""

    settings: Encode
    encoder: Encoder
    tally: Tally

    @property
    def _shortener(self) -> Shortener:
        return Shortener(self.encoder, self.settings.max_seq_len)

    def fitted(self, batch: Sequence[Example]) -> Iterator[Encoded]:
        """What is trained of a batch, in order; an example too long for certain is not rendered."""
        self.tally.over.limit = self.settings.max_seq_len
        self.tally.over.policy = self.settings.overlong
        short = [example for example in batch if not self._shortener.is_over(example)]
        yield from self._fit(batch, encode_many(short, self.encoder))

    def _fit(
        self, batch: Sequence[Example], made: Sequence[Encoded | Refusal]
    ) -> Iterator[Encoded]:
        outcomes = iter(made)
        for example in batch:
            outcome = None if self._shortener.is_over(example) else next(outcomes)
            if isinstance(outcome, Refusal):
                self.tally.drop(outcome)
            elif outcome is not None and outcome.longest <= self.settings.max_seq_len:
                yield outcome
            else:
                self.tally.over.examples += 1
                yield from self._shortened(example, outcome)

    def _shortened(self, example: Example, encoded: Encoded | None) -> Iterator[Encoded]:
        """What is trained of an example over the limit; `encoded` unless it is so for certain."""
        policy, type_ = self.settings.overlong, example.type
        if policy == "split" and type_ == "language-modeling":
            yield from self._windows(example, encoded)
        elif policy == "split" and type_ == "conversation":
            yield from self._parts(example)
        elif policy == "cut-prompt-left" and type_ != "language-modeling":
            yield from self._cut(example, encoded)
        else:
            yield from self._drop(example, encoded)

    def _length(self, example: Example, encoded: Encoded | None) -> int:
        if encoded is not None:
            return encoded.longest
        return sum(count_tokens(text, self.encoder) for text in texts_of(example))

    def _drop(self, example: Example, encoded: Encoded | None) -> Iterator[Encoded]:
        """Leave out the rows that are too long, which need not be all that a template makes."""
        limit, shortener = self.settings.max_seq_len, self._shortener
        if encoded is None:
            what = _(
                "{chars} characters; beyond {most}, an example is not tokenised and counts as over "
                "the limit of {limit} tokens"
            )
            chars = chars_of(example)
            reason = what.format(chars=chars, most=shortener.most_chars, limit=limit)
            self._refuse(example, reason, self._length(example, None))
            return
        is_pair = example.rejected is not None
        for length in [encoded.longest] if is_pair else [len(p.ids) for p in encoded.pieces]:
            if length > limit:
                what = _("{length} tokens, the limit is {limit}")
                self._refuse(example, what.format(length=length, limit=limit), length)
        kept = () if is_pair else tuple(p for p in encoded.pieces if len(p.ids) <= limit)
        if kept:
            yield replace(encoded, pieces=kept, talks=encoded.talks[: len(kept)])

    def _refuse(self, example: Example, reason: str, length: int) -> None:
        self.tally.drop(Refusal(example.source, example.line, OVER_LENGTH, reason))
        self.tally.over.dropped += 1
        self.tally.over.tokens_lost += length

    def _cut(self, example: Example, encoded: Encoded | None) -> Iterator[Encoded]:
        made = self._shortener.cut(example)
        if made is None:
            yield from self._drop(example, encoded)
            return
        self.tally.over.cut += 1
        self.tally.over.tokens_lost += max(0, self._length(example, encoded) - made.longest)
        yield made

    def _parts(self, example: Example) -> Iterator[Encoded]:
        over, found = self.tally.over, 0
        for part in self._shortener.parts(example):
            for made in self._unfit(part) if isinstance(part, Example) else [part]:
                found += 1
                yield made
        over.split += found > 0
        over.split_into += found

    def _unfit(self, part: Example) -> Iterator[Encoded]:
        """What is trained of an exchange that is too long by itself, or that is refused."""
        outcome = None if self._shortener.is_over(part) else encode_many([part], self.encoder)[0]
        if isinstance(outcome, Refusal):
            self.tally.drop(outcome)
        else:
            yield from self._drop(part, outcome)

    def _windows(self, example: Example, encoded: Encoded | None) -> Iterator[Encoded]:
        encoder, limit = self.encoder, self.settings.max_seq_len
        if encoded is None and (refused := forgery(example, (), encoder)) is not None:
            self.tally.drop(refused)
            return
        tokens = encoded.pieces[0].tokens if encoded is not None else None
        self.tally.over.split += 1
        masked = text_of(example.text, encoder)
        for number, piece in enumerate(windows(masked, tokens, encoder, limit), start=1):
            self.tally.over.split_into += 1
            yield Encoded(replace(example, id=f"{example.id}-{number}"), (piece,))
