"""What every runtime offers: the same three questions to a live model and to a delivered file."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Generation:
    """A greedy continuation; `ids` holds the stop id last when `stopped` is true."""

    ids: tuple[int, ...]
    text: str
    stopped: bool


@dataclass(frozen=True)
class Decoding:
    """How to continue: greedy, until a stop id or a stop string, at most so many tokens."""

    max_new_tokens: int
    stop_ids: tuple[int, ...] = ()
    stop_strings: tuple[str, ...] = ()


class Runtime(Protocol):
    """A loaded model."""

    name: str

    def tokens(self, text: str) -> list[int]:
        """`text` as ids, control tokens recognised, nothing added."""
        ...

    def generate(self, prompts: Sequence[Sequence[int]], decoding: Decoding) -> list[Generation]:
        """One greedy continuation for each prompt, in order."""
        ...

    def next_logprobs(
        self, prefixes: Sequence[Sequence[int]], top_n: int
    ) -> list[dict[int, float]]:
        """Natural logarithms of the `top_n` most likely next ids after each prefix."""
        ...


def cut(text: str, stop_strings: Sequence[str]) -> tuple[str, bool]:
    """`text` up to the first stop string, and whether one was found."""
    places = [text.find(s) for s in stop_strings if s in text]
    return (text[: min(places)], True) if places else (text, False)
