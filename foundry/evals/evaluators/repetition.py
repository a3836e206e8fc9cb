"""Evaluator `repetition`: the share of answers that do not end in a loop.

A loop is a phrase that stands several times in a row at the end, the last time perhaps cut off by
the length limit: the degeneration of Holtzman et al. (2020), "The Curious Case of Neural Text
Degeneration", arXiv 1904.09751. Their code (ari-holtzman/degen, metrics/repetition.py at 3bbf847)
asks for at least 3 tokens said twice. The defaults here, ours, are a phrase of at least 2 units
(`foundry.evals.units`) said 3 times, so that 「謝謝您，謝謝您」 is no loop.
"""

from collections.abc import Sequence

from pydantic import Field

from foundry.core.fields import Closed, Many
from foundry.evals.answers import Answer, Item
from foundry.evals.units import units

version = 1
TITLE = {"en": "Free of loops", "zh-TW": "沒有鬼打牆"}
EXPLAIN = {
    "en": "The answer does not end in one phrase said over and over. Loops in the middle, and "
    "the same thing said in other words, are not seen.",
    "zh-TW": "答案的結尾不是同一句話一再重複。中間的重複，以及換句話說的重複，這裡看不出來。",
}
RUN = 4


class Spec(Closed):
    """What counts as a loop."""

    parts: Many[str] | None = Field(
        None, description="Names of the test parts to score; all of them where absent."
    )
    times: int = Field(3, ge=2, le=100, description="Least repeats in a row that are a loop.")
    length: int = Field(
        2,
        ge=1,
        le=100,
        description="Least length of the phrase in units; a shorter one must repeat so often "
        "that it is as long together.",
    )


def score(item: Item, answer: Answer, spec: Spec) -> float | None:
    """1.0 if the answer ends in no loop, else 0.0."""
    if not item.is_in(spec.parts):
        return None
    return float(looped(units(answer.text), times=spec.times, length=spec.length) == 0)


def repeated_runs(item: Item, answer: Answer, spec: Spec) -> float | None:
    """The share of runs of 4 units that stood before in the same answer; 0.0 below 4 units.

    1 - unique runs / runs: seq-rep-4 of Welleck et al. (2020), "Neural Text Generation with
    Unlikelihood Training", arXiv 1908.04319.
    """
    if not item.is_in(spec.parts):
        return None
    seen = units(answer.text)
    runs = [tuple(seen[i : i + RUN]) for i in range(len(seen) - RUN + 1)]
    return 1 - len(set(runs)) / len(runs) if runs else 0.0


def looped_share(item: Item, answer: Answer, spec: Spec) -> float | None:
    """The share of the answer's units that are in its closing loop."""
    if not item.is_in(spec.parts):
        return None
    seen = units(answer.text)
    return looped(seen, times=spec.times, length=spec.length) / len(seen) if seen else 0.0


def looped(seen: Sequence[str], *, times: int, length: int) -> int:
    """How many of the last units are one phrase over and over; 0 where there is no loop.

    Of the text read backwards, the longest start whose smallest period fits into it `times` times
    (a period below `length` counts as `length`). The borders of Knuth, Morris and Pratt (1977)
    give the smallest period of every start, so this is linear in the length of the text.
    """
    backwards = list(reversed(seen))
    borders, longest = [0] * len(backwards), 0
    for end in range(1, len(backwards)):
        border = borders[end - 1]
        while border and backwards[border] != backwards[end]:
            border = borders[border - 1]
        borders[end] = border + (backwards[border] == backwards[end])
        size = end + 1
        if size >= times * max(size - borders[end], length):
            longest = size
    return longest
