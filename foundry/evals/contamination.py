"""Test questions that a training row holds too (cases.md C27).

The data stage has already taken out of training what says the same as a test row. What is left is
the same question with another answer, a question that is nearly the same, and the questions that
evaluators bring, which the data stage never saw.
"""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from foundry.core.records import Example
from foundry.data.duplicates import normalise
from foundry.evals.answers import Item
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
    questions = [_grams(_question(item)) for item in items]
    prompts = [_grams(_asked(item)) for item in items]
    index = _index(questions)
    best: dict[int, Found] = {}
    for row in train:
        there = _grams(_prompt(row))
        hits = Counter(place for gram in there for place in index.get(gram, ()))
        for place, count in hits.items():
            share = count / len(questions[place])
            if share >= NEAR:
                share = min(share, len(prompts[place] & there) / len(prompts[place]))
            if share >= NEAR and (place not in best or share > best[place][2]):
                best[place] = ("near", row, share)
    return best


def _index(questions: Sequence[Grams]) -> Mapping[tuple[str, ...], list[int]]:
    """The items that have a run in their question; too short questions are left out."""
    index: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for place, grams in enumerate(questions):
        for gram in grams if len(grams) >= FEWEST_GRAMS else ():
            index[gram].append(place)
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
