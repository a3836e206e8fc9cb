"""Test questions that a training row holds too (cases.md C27).

The data stage has already taken out of training what says the same as a test row. What is left is
the same question with another answer, a question that is nearly the same, and the questions that
evaluators bring, which the data stage never saw. A question with options is the same question
without them, or with them in another order, where the row says the right one.
"""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from foundry.core.records import Example
from foundry.data.duplicates import normalise
from foundry.evals.answers import Item
from foundry.evals.choices import chosen, options_of, stem_of
from foundry.evals.naming import named_in
from foundry.evals.questions import question_of

GRAM = 3
"""Length of the compared runs, in words of a language with spaces and in single Chinese characters.
With 5, one other character in a question of ten leaves a sixth of the runs, and it is missed."""

NEAR = 0.8
"""Least share of a question's runs that one training row must hold. In the shop recipe, whose test
questions are worded anew, the nearest row holds 0.75; "Llama 2" (arXiv 2307.09288, section A.6)
calls a sample dirty from 0.8 on."""

FEWEST_GRAMS = 5  # of a shorter question, chance finds most
UNIT = re.compile(r"[a-z0-9]+|[^\W_a-z0-9]")

Grams = frozenset[tuple[str, ...]]
Found = tuple[str, Example, float]


@dataclass(frozen=True)
class Overlap:
    """A test question and the training row nearest to it.

    `kind` is `exact` (question and answer are the same), `same-question` (the answer is another) or
    `near`; `share` in 0..1 is how much of the question the row holds.
    """

    item_id: str
    part: str
    kind: str
    source: str
    line: int
    share: float


def overlaps(items: Sequence[Item], train: Sequence[Example]) -> list[Overlap]:
    """The test questions that some training row holds, in the order of `items`."""
    same, near = _same(items, train), _near(items, train)
    found = []
    for place, item in enumerate(items):
        kind, row, share = same.get(place) or near.get(place) or ("", None, 0.0)
        if row is not None:
            key = item.example.id
            found.append(Overlap(key, item.part, kind, row.source, row.line, round(share, 4)))
    return found


def _same(items: Sequence[Item], train: Sequence[Example]) -> dict[int, Found]:
    """The first training row with an item's prompt; one with its answer too comes before others."""
    wanted = defaultdict(list)
    for place, item in enumerate(items):
        wanted[normalise(_asked(item))].append(place)
    found: dict[int, Found] = {}
    for row in train:
        for place in wanted.get(normalise(_prompt(row)), ()):
            is_equal = normalise(row.answer) == normalise(items[place].example.answer)
            kind = "exact" if is_equal else "same-question"
            if place not in found or (is_equal and found[place][0] != "exact"):
                found[place] = (kind, row, 1.0)
    return found


def _near(items: Sequence[Item], train: Sequence[Example]) -> dict[int, Found]:
    """The training row that holds most of an item's question, where that is `NEAR` or more.

    With a context beside the question, both must be there: the same question on another product's
    sheet is another question, and so is another question on the same text.
    """
    wanted = [one for place, item in enumerate(items) for one in _ways(place, item)]
    index = _index(wanted)
    best: dict[int, Found] = {}
    for row in train:
        there = _grams(_prompt(row))
        hits = Counter(number for gram in there for number in index.get(gram, ()))
        for number, count in hits.items():
            way = wanted[number]
            share = count / len(way.question)
            if share >= NEAR:
                share = min(share, len(way.prompt & there) / len(way.prompt))
            if share < NEAR or not way.is_answered(row):
                continue
            if way.place not in best or share > best[way.place][2]:
                best[way.place] = ("near", row, share)
    return best


@dataclass(frozen=True)
class _Way:
    """Runs of an item's question and of its prompt; `answer` where the row must give that too."""

    place: int
    question: Grams
    prompt: Grams
    answer: str = ""

    def is_answered(self, row: Example) -> bool:
        """Whether a row gives the answer that it must, in words or as the option it chooses."""
        if not self.answer:
            return True
        options = options_of(_prompt(row))
        right = chosen(row.answer, options) if options else None
        said = row.answer if right is None else options[right]
        return bool(named_in(said, (self.answer,)))


def _ways(place: int, item: Item) -> Iterator[_Way]:
    """How an item may be asked in a training row: as it is, and without its options.

    Many questions have one stem (`下列何者正確`), so that the right option must be there as well.
    """
    asked, prompt = _question(item), _asked(item)
    yield _Way(place, _grams(asked), _grams(prompt))
    options = options_of(asked)
    right = chosen(item.example.answer, options) if options else None
    if right is not None:
        yield _Way(place, _grams(stem_of(asked)), _grams(stem_of(prompt)), options[right])


def _index(wanted: Sequence[_Way]) -> Mapping[tuple[str, ...], list[int]]:
    """The ways that have a run in their question; too short questions are left out."""
    index: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for number, way in enumerate(wanted):
        for gram in way.question if len(way.question) >= FEWEST_GRAMS else ():
            index[gram].append(number)
    return index


def _grams(text: str) -> Grams:
    units = UNIT.findall(unicodedata.normalize("NFKC", text).casefold())
    return frozenset(_runs(units))


def _runs(units: Sequence[str]) -> Iterator[tuple[str, ...]]:
    return (tuple(units[i : i + GRAM]) for i in range(len(units) - GRAM + 1))


def _question(item: Item) -> str:
    return item.question or question_of(item.example).text


def _asked(item: Item) -> str:
    return item.question or _prompt(item.example)


def _prompt(example: Example) -> str:
    """What stands before the answer; a system text, which many rows share, is no question."""
    turns = (turn.content for turn in example.prompt if turn.role != "system")
    return example.text or "\n".join(turns)
