"""Evaluator `repetition`: the share of answers that do not end in a loop.

A loop is a phrase that stands several times in a row at the end, the last time perhaps cut off by
the length limit: the degeneration of Holtzman et al. (2020), "The Curious Case of Neural Text
Degeneration", arXiv 1904.09751. Their code (ari-holtzman/degen, metrics/repetition.py at 3bbf847)
asks for at least 3 tokens said twice. The defaults here, ours, are a phrase of at least 2 units
(`foundry.evals.units`) said 3 times, so that 「謝謝您，謝謝您」 is no loop. The numbers of a list
do not count: a model that cannot stop writes the same line as 2., 3. and 4.

Of 2,900 texts of people and large models (alpaca_zh_demo, dpo_zh_demo, kto_en_demo, DRCD_dev) two
are found: a real loop, and a drawing made of one sign. Of ten answers of untrained gemma-3-270m
seven are found, which are all that end in a loop; five of the seven loop under list numbers.
"""

import re
from collections.abc import Sequence

from pydantic import Field

from foundry.evals.answers import Answer, Item
from foundry.evals.companions import Companion
from foundry.evals.parts import InParts
from foundry.evals.units import units

version = 1
TITLE = {"en": "Free of loops", "zh-TW": "沒有鬼打牆"}
EXPLAIN = {
    "en": "The answer does not end in one phrase said over and over. Loops in the middle, and "
    "the same thing said in other words, are not seen.",
    "zh-TW": "答案的結尾不是同一句話一再重複。中間的重複，以及換句話說的重複，這裡看不出來。",
}
RUN = 4
LIST_NUMBER = re.compile(r"^[^\S\n]*\d+[.)、．）:：](?!\d)", re.MULTILINE)


class Spec(InParts):
    """What counts as a loop."""

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
    return float(looped(_units(answer), times=spec.times, length=spec.length) == 0)


def repeated_runs(item: Item, answer: Answer, spec: Spec) -> float | None:
    """The share of runs of 4 units that stood before in the same answer; 0.0 below 4 units.

    1 - unique runs / runs: seq-rep-4 of Welleck et al. (2020), "Neural Text Generation with
    Unlikelihood Training", arXiv 1908.04319.
    """
    if not item.is_in(spec.parts):
        return None
    seen = _units(answer)
    runs = [tuple(seen[i : i + RUN]) for i in range(len(seen) - RUN + 1)]
    return 1 - len(set(runs)) / len(runs) if runs else 0.0


def looped_share(item: Item, answer: Answer, spec: Spec) -> float | None:
    """The share of the answer's units that are in its closing loop."""
    if not item.is_in(spec.parts):
        return None
    seen = _units(answer)
    return looped(seen, times=spec.times, length=spec.length) / len(seen) if seen else 0.0


COMPANIONS = (
    Companion(
        name="repeated-runs",
        title={"en": "Repeats itself", "zh-TW": "重複的內容"},
        explain={
            "en": "The share of runs of 4 characters or words that stood in the answer before; "
            "the less the better. A table or a list repeats itself rightly.",
            "zh-TW": "連續 4 個字詞中，前面已經出現過的比例；越少越好。表格與條列的重複是正常的。",
        },
        score=repeated_runs,
        lower_is_better=True,
    ),
    Companion(
        name="looped-share",
        title={"en": "Part of the answer in a loop", "zh-TW": "鬼打牆占答案的比例"},
        explain={
            "en": "How much of the answer is its closing loop; the less the better.",
            "zh-TW": "答案有多少是結尾一再重複的部分；越少越好。",
        },
        score=looped_share,
        lower_is_better=True,
    ),
)


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


def _units(answer: Answer) -> list[str]:
    return units(LIST_NUMBER.sub("", answer.text))
