"""What a judge said of an answer beside another one, in both orders.

A judge that prefers whatever it reads first is found by asking twice. An answer wins only if it is
preferred in both orders; where the two verdicts contradict each other, the answers are level.

Source: Zheng et al. (2023), "Judging LLM-as-a-Judge with MT-Bench and Chatbot Arena",
arXiv 2306.05685, section 3.4.
"""

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["win", "loss", "tie"]

WORTH = {"win": 1.0, "tie": 0.5, "loss": 0.0}
TURNED: dict[Outcome, Outcome] = {"win": "loss", "tie": "tie", "loss": "win"}


@dataclass(frozen=True)
class Judgement:
    """How an answer did when it was shown first, and when second; None where no verdict was found.

    `people` is what people said of a pair of answers that the row itself brings, and `as_people`
    what the judge said of the first of that pair; both None where the row brings none.
    """

    shown_first: Outcome | None
    shown_second: Outcome | None
    people: Outcome | None = None
    as_people: Outcome | None = None

    @property
    def outcome(self) -> Outcome | None:
        """Both orders together; None unless both gave a verdict."""
        if self.shown_first is None or self.shown_second is None:
            return None
        return self.shown_first if self.shown_first == self.shown_second else "tie"

    @property
    def is_consistent(self) -> bool | None:
        """Whether both orders gave the same verdict."""
        return None if self.outcome is None else self.shown_first == self.shown_second

    def turned(self) -> "Judgement":
        """The same as seen from the other answer, without what concerns another pair."""
        first, second = self.shown_second, self.shown_first
        return Judgement(
            shown_first=None if first is None else TURNED[first],
            shown_second=None if second is None else TURNED[second],
        )
