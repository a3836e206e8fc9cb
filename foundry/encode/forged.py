"""Control tokens in the words of the data: the tokenizer takes them for its own (C01).

`<s>` around a price that is struck out, or `<|im_end|>` in an answer about chat formats, would end
a turn in its midst and be trained as a stop; in a question it would open a turn that nobody took.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from foundry.core.records import Turn

START = 2  # characters; few texts have those of a control token, such as `<|`


def forged_in(turns: Sequence[Turn], tools: Any, control: frozenset[str]) -> str | None:
    """The first control token in what turns and tools say; None where there is none."""
    found = (forged(text, control) for text in _texts([turn.as_dict() for turn in turns], tools))
    return next((token for token in found if token is not None), None)


def forged(text: str, control: frozenset[str]) -> str | None:
    """The first control token in a text, the longest that begins there; None for none."""
    first: tuple[int, str] | None = None
    for start, lengths in _by_start(control).items():
        at = text.find(start)
        while at >= 0 and (first is None or at < first[0]):
            begun = (text[at : at + length] for length in lengths)
            token = next((one for one in begun if one in control), None)
            if token is not None:
                first = at, token
                break
            at = text.find(start, at + 1)
    return None if first is None else first[1]


@lru_cache(maxsize=8)
def _by_start(control: frozenset[str]) -> Mapping[str, list[int]]:
    """The lengths of the tokens by their first characters, the longest first."""
    made: dict[str, set[int]] = {}
    for token in filter(None, control):
        made.setdefault(token[:START], set()).add(len(token))
    return {start: sorted(lengths, reverse=True) for start, lengths in made.items()}


def _texts(*values: Any) -> Iterator[str]:
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, Mapping):
            yield from _texts(*value, *value.values())
        elif isinstance(value, Sequence):
            yield from _texts(*value)
