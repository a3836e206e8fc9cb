"""Divide the examples into `train` and the test parts, with nothing on both sides (C27).

A test part has priority: a row that a named test part holds too is taken out of training. Of rows
that say the same, the first stays. Both are listed as refused, by code and with the row they
repeat.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from foundry.core.errors import DataError, Problem
from foundry.core.language import gettext as _
from foundry.core.recipe import Split
from foundry.core.records import Example, Refusal
from foundry.data.duplicates import first_of_each, normalise, other_answers, whole_key
from foundry.data.splits import split

TRAIN, TEST = "train", "test"
DUPLICATE, IN_TEST = "duplicate", "in-test"
MOST_VALUES = 10  # values named in one error


@dataclass(frozen=True)
class Division:
    """Examples by part, `train` first, the rows taken out, and what was found on both sides."""

    parts: Mapping[str, list[Example]]
    removed: tuple[Refusal, ...]
    overlap: Mapping[str, Any]


def divide(
    examples: Sequence[Example], tests: Mapping[str, Sequence[Example]], how: Split | None
) -> Division:
    """Take out what is repeated or in a named test part, then split the rest if `how` says so.

    Raises:
        DataError: A part is empty.
    """
    removed: list[Refusal] = []
    named = {name: _without_repeats(part, removed) for name, part in tests.items()}
    left, taken = _without_tested(examples, named, removed)
    pool = _without_repeats(left, removed)
    parts = {TRAIN: pool}
    if how is not None and pool:
        parts[TRAIN], parts[TEST] = split(pool, test=how.test, seed=how.seed)
    parts |= named
    _refuse_empty(parts)
    overlap = {
        name: {
            "removed_from_train": taken[name],
            "same_prompt_other_answer": other_answers(part, parts[TRAIN]),
        }
        for name, part in parts.items()
        if name != TRAIN
    }
    return Division(parts, tuple(removed), overlap)


def refuse_shared_values(parts: Mapping[str, Sequence[Example]], name: str, column: str) -> None:
    """Refuse a value of `column` that both `train` and the part `name` have; blanks are no value.

    Raises:
        DataError: Names each such value, and the lines on which it stands.
    """
    learned: dict[str, Example] = {}
    for example in parts[TRAIN]:
        learned.setdefault(normalise(example.fields.get(column, "")), example)
    learned.pop("", None)
    shared: dict[str, Problem] = {}
    for example in parts[name]:
        key = normalise(example.fields.get(column, ""))
        if key in learned and key not in shared:
            shared[key] = _shared(example, learned[key], name, column)
    if shared:
        more = len(shared) - MOST_VALUES
        rest = [Problem(name, _("and {n} more values").format(n=more))] if more > 0 else []
        raise DataError([*list(shared.values())[:MOST_VALUES], *rest])


def _shared(example: Example, learned: Example, name: str, column: str) -> Problem:
    what = _(
        "`{column}` is `{value}`, which test part `{part}` must not share with training "
        "(`disjoint_by`), but {file}:{line} has it"
    )
    return Problem(
        f"{example.source}:{example.line}",
        what.format(
            column=column,
            value=example.fields[column],
            part=name,
            file=learned.source,
            line=learned.line,
        ),
        _("take the rows of this value out of one of the two files"),
    )


def _without_repeats(examples: Sequence[Example], removed: list[Refusal]) -> list[Example]:
    first, repeats = first_of_each(examples)
    what = _("says the same as {file}:{line}")
    removed.extend(
        _removal(late, DUPLICATE, what.format(file=early.source, line=early.line))
        for late, early in repeats
    )
    return first


def _without_tested(
    examples: Sequence[Example], tests: Mapping[str, Sequence[Example]], removed: list[Refusal]
) -> tuple[list[Example], Counter[str]]:
    """The examples that no test part holds, and how many were taken out for each part."""
    tested = {whole_key(test): (name, test) for name, part in tests.items() for test in part}
    what = _("also in test part `{part}`, {file}:{line}")
    left, taken = [], Counter[str]()
    for example in examples:
        name, test = tested.get(whole_key(example), ("", example))
        if not name:
            left.append(example)
            continue
        taken[name] += 1
        reason = what.format(part=name, file=test.source, line=test.line)
        removed.append(_removal(example, IN_TEST, reason))
    return left, taken


def _removal(example: Example, code: str, reason: str) -> Refusal:
    return Refusal(example.source, example.line, code, reason)


def _refuse_empty(parts: Mapping[str, Sequence[Example]]) -> None:
    what = _("no rows are left for part `{part}`")
    problems = [Problem("data", what.format(part=name)) for name, part in parts.items() if not part]
    if problems:
        raise DataError(problems)
