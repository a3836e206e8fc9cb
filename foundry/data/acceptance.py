"""Refuse data as a whole: a column that is not there, or too many rows that cannot be used."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from foundry.core import plugins
from foundry.core.errors import DataError, Problem
from foundry.core.language import gettext as _
from foundry.core.near import nearest
from foundry.core.recipe import Data
from foundry.data.intake import MOST_SHOWN, Intake
from foundry.data.splits import SIDES, VALIDATED


class Columned(Protocol):
    """A file as far as its columns are concerned."""

    @property
    def name(self) -> str:
        """What messages call it."""

    @property
    def columns(self) -> Iterable[str]:
        """The names of its columns."""


def lacking_columns(
    data: Data,
    learned: Sequence[Columned],
    tests: Mapping[str, Sequence[Columned]],
    replayed: Sequence[Columned] = (),
) -> list[Problem]:
    """A problem for each column that the recipe names and its files lack.

    Args:
        data: The recipe's `data` block.
        learned: The files to learn from.
        tests: Those of each named test part.
        replayed: Those of `data.replay`.
    """
    wanted = plugins.load("format", data.format.kind).columns(data.format.spec)
    shared = [test.disjoint_by for test in data.tests if test.disjoint_by]
    grouped = [data.split.group_by] if data.split and data.split.group_by else []
    problems = missing_columns(learned, [*wanted, *grouped, *shared])
    for test in data.tests:
        own = [test.disjoint_by] if test.disjoint_by else []
        problems += missing_columns(tests[test.name], [*wanted, *own])
    if data.validation:
        problems += missing_columns(tests.get(SIDES[VALIDATED], ()), wanted)
    if data.replay:
        format = data.replay.format
        own = plugins.load("format", format.kind).columns(format.spec)
        problems += missing_columns(replayed, own)
    return problems


def missing_columns(intakes: Sequence[Columned], wanted: Iterable[str]) -> list[Problem]:
    """A problem for each wanted column that none of the files has.

    One file of several may lack a column: its rows are then refused, or have no such text where
    the column is optional (cases.md C52). No file having it is a wrong name in the recipe.
    """
    found = list(dict.fromkeys(name for intake in intakes for name in intake.columns))
    if not found:  # not one row could be read; each is refused with its own reason
        return []
    files = ", ".join(intake.name for intake in intakes)
    what = _("no column `{column}`; there are: {found}")
    return [
        Problem(files, what.format(column=column, found=", ".join(found)), _nearest(column, found))
        for column in dict.fromkeys(wanted)
        if column not in found
    ]


def too_many_refused(intakes: Sequence[Intake], limit: float) -> list[Problem]:
    """The first refusals by line, if their share of the rows is above `limit` (0 to 1)."""
    rows = sum(intake.rows for intake in intakes)
    refused = sum(intake.refused.total() for intake in intakes)
    if refused <= limit * rows:
        return []
    what = _("{refused} of {rows} rows cannot be used, more than `max_refused: {limit}` allows")
    head = Problem(
        ", ".join(intake.name for intake in intakes),
        what.format(refused=refused, rows=rows, limit=limit),
        _("correct the rows listed here, or raise `data.max_refused`"),
    )
    first = [refusal for intake in intakes for refusal in intake.first_refused]
    shown = [Problem(f"{r.source}:{r.line}", r.reason) for r in first[:MOST_SHOWN]]
    more = refused - len(shown)
    rest = [Problem("", _("and {n} more rows").format(n=more))] if more else []
    return [head, *shown, *rest]


def other_types(own: Sequence[Intake], replayed: Sequence[Intake]) -> list[Problem]:
    """A problem for each file to replay whose rows are of another type than the recipe's own."""
    wanted = next((row.type for intake in own for row in intake.read_examples()), None)
    what = _("rows of type `{found}` cannot be replayed among rows of type `{wanted}`")
    fix = _("set `data.replay.format` to one that makes `{wanted}`").format(wanted=wanted)
    first = [(intake, next(intake.read_examples(), None)) for intake in replayed]
    return [
        Problem(intake.name, what.format(found=row.type, wanted=wanted), fix)
        for intake, row in first
        if row is not None and wanted is not None and row.type != wanted
    ]


def refuse(problems: Sequence[Problem]) -> None:
    """Raise what was collected, if anything was.

    Raises:
        DataError: There are problems.
    """
    if problems:
        raise DataError(problems)


def _nearest(column: str, found: Sequence[str]) -> str | None:
    near = nearest(column, found)
    return _("did you mean `{name}`?").format(name=near) if near else None
