"""A conversation that is too long -> one that fits, or several; always whole turns of the template.

What is shortened is the conversation, which is then rendered and masked like any other. So every
row is one that the model could meet, and no answer is ever cut.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise

from foundry.core.records import Example, Refusal, Turn
from foundry.encode.rows import Encoded, encode_many
from foundry.encode.tokenize import Encoder

# A text of more characters than this for each token of the limit is over it without being
# tokenised: only runs of one character, such as spaces, become tokens that long.
CHARS_PER_TOKEN = 64
TRIES = 4  # the question is cut by an estimate, which a merge at the cut can put off by a token

Turns = tuple[Turn, ...]


def texts_of(example: Example) -> list[str]:
    """The texts of which an example's tokens are made."""
    sides = (*example.messages, *([example.rejected] if example.rejected else []))
    return [example.text, *(text for turn in sides for text in (turn.content, turn.reasoning))]


def chars_of(example: Example) -> int:
    """The characters of which an example's tokens are made."""
    count = len(example.text)
    for turn in example.messages:
        count += len(turn.content) + len(turn.reasoning)
    other = example.rejected
    return count if other is None else count + len(other.content) + len(other.reasoning)


def exchanges_of(turns: Sequence[Turn]) -> tuple[Turns, list[Turns]]:
    """The system turns at the head, and the exchanges, each begun by a question."""
    head = next((n for n, turn in enumerate(turns) if turn.role != "system"), len(turns))
    starts = [n for n, turn in enumerate(turns) if turn.role == "user" and n > head]
    bounds = [head, *starts, len(turns)]
    return tuple(turns[:head]), [tuple(turns[a:b]) for a, b in pairwise(bounds) if b > a]


@dataclass(frozen=True)
class Shortener:
    """Encodes shortened examples under a limit of `limit` tokens."""

    encoder: Encoder
    limit: int

    @property
    def most_chars(self) -> int:
        """The characters beyond which an example counts as over the limit."""
        return CHARS_PER_TOKEN * self.limit

    def is_over(self, example: Example) -> bool:
        """Whether an example is too long for certain, so that it need not be tokenised."""
        return chars_of(example) > self.most_chars

    def cut(self, example: Example) -> Encoded | None:
        """The example without its oldest exchanges, then without the start of its question.

        The system turn stays unless the answer does not fit beside it. None if the answer does not
        fit with a single token of its question.
        """
        system, exchanges = exchanges_of(example.messages)

        def without(count: int) -> Encoded | None:
            rest = (turn for exchange in exchanges[count:] for turn in exchange)
            return self._fitting(replace(example, messages=(*system, *rest)))

        fewest = 1 + bisect_left(range(1, len(exchanges)), True, key=lambda n: bool(without(n)))
        if fewest < len(exchanges):
            return without(fewest)
        whole = replace(example, messages=(*system, *exchanges[-1]))
        bare = replace(example, messages=exchanges[-1])
        alone = Shortener(replace(self.encoder, system=None), self.limit)
        return self._cut_question(whole) or alone._cut_question(bare)

    def parts(self, example: Example) -> Iterator[Encoded | Example]:
        """The example in as few parts as possible, each of whole exchanges after the system turn.

        An exchange that is too long by itself, or refused, comes as the example it is.
        """
        system, exchanges = exchanges_of(example.messages)

        def part(start: int, count: int, number: int) -> Example:
            turns = (turn for some in exchanges[start : start + count] for turn in some)
            return replace(example, id=f"{example.id}-{number}", messages=(*system, *turns))

        at = number = 0
        while at < len(exchanges):
            number += 1
            taking = partial(part, at, number=number)
            left = range(1, len(exchanges) - at + 1)
            count = bisect_left(left, True, key=lambda n, of=taking: self._fitting(of(n)) is None)
            made = self._fitting(taking(count)) if count else None
            yield made or taking(1)
            at += max(1, count)

    def _fitting(self, example: Example) -> Encoded | None:
        made = None if self.is_over(example) else self._encoded(example)
        return None if made is None or made.longest > self.limit else made

    def _encoded(self, example: Example) -> Encoded | None:
        (made,) = encode_many([example], self.encoder)
        return None if isinstance(made, Refusal) else made

    def _cut_question(self, example: Example) -> Encoded | None:
        """The example with as much of the end of its question as fits."""
        turns = example.messages
        at = next((n for n, turn in enumerate(turns) if turn.role == "user"), None)
        if at is None:
            return None
        question = turns[at].content[-self.most_chars :]
        tokens = self.encoder.backend.encode(question, add_special_tokens=False)

        def ending(count: int) -> Example:
            begin = tokens.offsets[len(tokens) - count][0]
            cut = replace(turns[at], content=question[begin:])
            return replace(example, messages=(*turns[:at], cut, *turns[at + 1 :]))

        least = self._fitting(ending(1)) if len(tokens) else None
        if least is None:
            return None
        count = min(len(tokens), 1 + self.limit - least.longest)
        for _try in range(TRIES):
            made = self._encoded(ending(count))
            if made is not None and made.longest <= self.limit:
                return made
            count = max(1, count - (made.longest - self.limit if made else 1))
        return least
