"""What every runtime offers: the same questions to a live model and to a delivered file."""

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


@dataclass(frozen=True)
class LogLikelihood:
    """How likely a continuation is: the sum of its log-probabilities in nats, over its tokens.

    `is_greedy` says that each of its tokens is the most likely one where it stands.
    """

    sum: float
    tokens: int
    is_greedy: bool


class Runtime(Protocol):
    """A loaded model.

    `tokens_at_once` is how many tokens of a continuation one pass of the model tells of; None where
    it tells of all. A longer continuation is worked out pass by pass, which takes as long as
    writing it does.
    """

    name: str
    tokens_at_once: int | None

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

    def loglikelihoods(
        self, prompts: Sequence[Sequence[int]], continuations: Sequence[Sequence[int]]
    ) -> list[LogLikelihood]:
        """How likely each continuation is after the prompt of the same place; neither is empty."""
        ...


def cut(text: str, stop_strings: Sequence[str]) -> tuple[str, bool]:
    """`text` up to the first stop string, and whether one was found."""
    places = [text.find(s) for s in stop_strings if s in text]
    return (text[: min(places)], True) if places else (text, False)
