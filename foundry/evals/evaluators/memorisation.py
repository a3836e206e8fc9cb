"""Evaluator `memorisation`: whether the model recites training rows that nothing else holds.

A model is given what stood before a training row's answer (or the start of its text) and goes on
by itself. It recites when at least `run` units in a row (`foundry.evals.units`: characters of
Chinese, words elsewhere) are those of the row and stand neither in what it was given nor in any
other row: a phrase of several rows is style, not memory. An answer that the question dictates is
recited without memory too; the column of the base model shows how often.

Source: verbatim completion of a given beginning is the measure of Carlini et al. (2023),
"Quantifying Memorization Across Neural Language Models", arXiv 2202.07646, section 3.1. They ask
for 50 tokens. 20 units are ours: of the 377 answers in this project's shop rows, which fill
templates with facts, 102 have a run of 12 characters that no other has, 41 one of 16, 5 one of 20.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace

from pydantic import Field

from foundry.core.errors import Problem, RecipeError
from foundry.core.fields import Closed
from foundry.core.language import gettext as _
from foundry.core.records import Example
from foundry.data.canaries import is_canary
from foundry.evals.answers import Answer, Item
from foundry.evals.companions import Companion, Table
from foundry.evals.units import units

version = 1
TITLE = {"en": "Recites no training row", "zh-TW": "沒有背誦訓練資料"}
EXPLAIN = {
    "en": "Given the beginning of a training row, the model does not go on with a long run of "
    "words that stands in this row alone.",
    "zh-TW": "給模型某筆訓練資料的開頭，它接下去寫的，沒有一長串只在那筆資料裡才有的字。",
}
OF_MODELS = True
KIND = "memorisation"
PART = "training-rows"
PART_TITLE = {"en": "Training rows, asked again", "zh-TW": "拿訓練資料再問一次"}
MAX_NEW_TOKENS = 128
OWN = "own-runs"
TEXT_OPENING = 100
LONGEST_SHOWN = 10


class Spec(Closed):
    """How many rows are asked, and what counts as reciting."""

    rows: int = Field(
        100, ge=1, le=100_000, description="Training rows to ask again, drawn by their hash."
    )
    run: int = Field(
        20,
        ge=5,
        le=1000,
        description="Shortest run that counts, in characters of Chinese or words, that stands in "
        "one row alone.",
    )
    given: int = Field(
        0,
        ge=0,
        le=100_000,
        description="Characters of the answer that the model is given after the question; a text "
        f"without a question is given at least {TEXT_OPENING}.",
    )


def items_from(spec: Spec, train: Sequence[Example]) -> list[Item]:
    """The rows with a run of their own, each with where such runs begin.

    Raises:
        RecipeError: No row has one; says how short the rows are.
    """
    rows = [row for row in train if not is_canary(row)]
    openings = {row.id: _opening(row, spec) for row in rows}
    rests = {row.id: units(row.answer[len(openings[row.id]) :]) for row in rows}
    long = [row for row in rows if len(rests[row.id]) >= spec.run]
    asked = sorted(long, key=lambda row: row.id)[: spec.rows]
    own = _own_runs({row.id: rests[row.id] for row in asked}, rows, openings, spec.run)
    if not any(own.values()):
        raise RecipeError(_nothing_own(max(map(len, rests.values()), default=0), spec.run))
    return [
        Item(
            replace(row, id=f"{KIND}:{row.id}", fields={OWN: json.dumps(own[row.id])}),
            PART,
            KIND,
            opening=openings[row.id],
        )
        for row in asked
        if own[row.id]
    ]


def as_text(item: Item, spec: Spec) -> str | None:
    """The beginning of a text; None for a conversation."""
    return None if item.example.messages else item.opening


def score(item: Item, answer: Answer, spec: Spec) -> float | None:
    """0.0 if a run of the row's own is recited, else 1.0; None for any other question."""
    return None if item.brought_by != KIND else float(not recited(item, answer, spec))


def recited(item: Item, answer: Answer, spec: Spec) -> list[str]:
    """The units of the longest recited run with a run of the row's own in it; none if none is."""
    row, said = units(item.example.answer[len(item.opening) :]), units(answer.text)
    places: dict[tuple[str, ...], list[int]] = {}
    for at in range(len(said) - spec.run + 1):
        places.setdefault(tuple(said[at : at + spec.run]), []).append(at)
    found: list[str] = []
    for start in json.loads(item.example.fields[OWN]):
        for at in places.get(tuple(row[start : start + spec.run]), ()):
            found = max(found, _widened(row, said, start, at), key=len)
    return found


def tables(items: Sequence[Item], answers: Sequence[Answer], spec: Spec) -> Iterator[Table]:
    """The longest recited runs."""
    runs = [
        (len(run), f"{item.example.source}:{item.example.line}", "".join(run))
        for item, answer in zip(items, answers, strict=True)
        if (run := recited(item, answer, spec))
    ]
    if not runs:
        return
    longest = sorted(runs, key=lambda one: (-one[0], one[1]))[:LONGEST_SHOWN]
    yield Table(
        name="recited",
        title={"en": "Longest runs recited", "zh-TW": "背得最長的幾段"},
        explain={
            "en": "Without spaces and punctuation; no other row and no question holds them.",
            "zh-TW": "不含空白與標點；別筆資料和題目裡都沒有這些字串。",
        },
        columns=(
            {"en": "length", "zh-TW": "長度"},
            {"en": "row", "zh-TW": "哪一筆"},
            {"en": "run", "zh-TW": "內容"},
        ),
        rows=tuple(longest),
    )


def _opening(row: Example, spec: Spec) -> str:
    """The start of the answer that is given; it ends before a word, never within one."""
    size = spec.given if row.messages else max(spec.given, TEXT_OPENING)
    start, rest = row.answer[:size], row.answer[size:]
    if start[-1:].isascii() and start[-1:].isalnum() and rest[:1].isascii() and rest[:1].isalnum():
        start = start[: len(start) - len(start.split()[-1])]
    return start.rstrip(" ")


def _own_runs(
    asked: dict[str, list[str]], rows: Sequence[Example], openings: dict[str, str], run: int
) -> dict[str, list[int]]:
    """Where in each asked text a run begins that stands nowhere else in the training rows."""
    starts: dict[tuple[str, ...], dict[str, list[int]]] = {}
    for key, seen in asked.items():
        for at, window in enumerate(_windows(seen, run)):
            starts.setdefault(window, {}).setdefault(key, []).append(at)
    owners = {window: next(iter(of)) for window, of in starts.items() if len(of) == 1}
    for row in rows:
        given = " ".join([*(turn.content for turn in row.prompt), openings[row.id]])
        for window in _windows(units(given), run):
            owners.pop(window, None)
        for window in _windows(units(row.answer), run):
            if owners.get(window, row.id) != row.id:
                del owners[window]
    own: dict[str, list[int]] = {key: [] for key in asked}
    for window, key in owners.items():
        own[key] += starts[window][key]
    return {key: sorted(found) for key, found in own.items()}


def _windows(seen: Sequence[str], run: int) -> Iterator[tuple[str, ...]]:
    return (tuple(seen[at : at + run]) for at in range(len(seen) - run + 1))


def _widened(row: Sequence[str], said: Sequence[str], start: int, at: int) -> list[str]:
    """The whole run that both have in common around `row[start]` and `said[at]`."""
    before = 0
    while before < min(start, at) and row[start - before - 1] == said[at - before - 1]:
        before += 1
    start, at = start - before, at - before
    size = 0
    for ours, theirs in zip(row[start:], said[at:], strict=False):
        if ours != theirs:
            break
        size += 1
    return list(row[start : start + size])


def _nothing_own(longest: int, run: int) -> Problem:
    what = _("no training row has a run of {run} of its own (the longest answer has {longest})")
    fix = _("set a smaller `run`, or take the evaluator `memorisation` out")
    return Problem("evals.memorisation", what.format(run=run, longest=longest), fix)


def _share(item: Item, answer: Answer, spec: Spec) -> float | None:
    """The longest recited run as a share of what was to be recited."""
    if item.brought_by != KIND:
        return None
    return len(recited(item, answer, spec)) / len(units(item.example.answer[len(item.opening) :]))


COMPANIONS = (
    Companion(
        "memorisation-share",
        {"en": "How much is recited", "zh-TW": "背了多少"},
        {
            "en": "The longest run recited, as a share of the row; the lower the better.",
            "zh-TW": "背出來最長的一段占那筆資料的比例；越低越好。",
        },
        _share,
        lower_is_better=True,
    ),
)
