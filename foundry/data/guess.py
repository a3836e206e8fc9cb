"""Find the format of rows whose recipe names none: used only if exactly one is certain.

Every format says with which settings it certainly reads a few rows (`guess` in its file). If none
or several do, the recipe must choose; it is shown what it may paste.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from foundry.core import plugins
from foundry.core.blocks import Block
from foundry.core.errors import DataError, Problem
from foundry.core.language import gettext as _
from foundry.data.columns import Columns, is_known_name
from foundry.data.recipe_lines import recipe_line

AUTO, FORMAT = "auto", "format"
SAMPLE_ROWS = 100  # rows to guess from; more change nothing, since a format has one shape
MOST_COLUMNS = 20  # columns named in an error

Rows = Sequence[Mapping[str, Any]]


class UndecidedError(DataError):
    """No format is certain to read a file, or several are."""


def resolve(
    block: Block, sample: Rows, place: str, *, beside: Collection[str | None] = ()
) -> tuple[Block, bool]:
    """The format to read a file with, and whether it was guessed.

    Args:
        block: The recipe's format; returned as it is unless its kind is `auto`.
        sample: The first rows of the file, up to `SAMPLE_ROWS`, as its source gives them.
        place: What an error calls the file.
        beside: Columns that the recipe names for something else, such as a split; if no format
            knows such a name, the column is no doubt.

    Raises:
        UndecidedError: No format is certain, or several are; lists them as lines for a recipe.
    """
    if block.kind != AUTO:
        return block, False
    others = {name for name in beside if name is not None and not is_known_name(name)}
    sample = [{n: v for n, v in row.items() if n not in others} for row in sample]
    certain = _certain(sample)
    if len(certain) == 1:
        kind, values = next(iter(certain.items()))
        spec = plugins.load("format", kind).Spec.model_validate(values)
        return Block(kind=kind, spec=spec), True
    raise UndecidedError(_undecided(sample, certain, place))


def shown(format: Mapping[str, Any]) -> str:
    """A format that was used as a line for a recipe, without what says nothing."""
    kind = format["kind"]
    fields = plugins.load("format", kind).Spec.model_fields
    said = {
        name: value
        for name, value in format.items()
        if name != "kind" and (value not in (None, ()) or fields[name].default != value)
    }
    return recipe_line(FORMAT, kind, said)


def _certain(sample: Rows) -> dict[str, Mapping[str, Any]]:
    """The settings of every format that is certain of the rows, by kind."""
    if not sample:
        return {}
    guesses = {kind: plugins.load("format", kind).guess(sample) for kind in plugins.names("format")}
    return {kind: values for kind, values in guesses.items() if values is not None}


def _undecided(sample: Rows, certain: Mapping[str, Mapping[str, Any]], place: str) -> Problem:
    found = Columns(sample).found
    if not found:
        return Problem(place, _("no row can be read, so that no format can be guessed"))
    names = ", ".join(found[:MOST_COLUMNS]) + (", …" if len(found) > MOST_COLUMNS else "")
    if certain:
        what = _("more than one format can read these rows; the columns are: {found}")
    else:
        what = _("no format is certain to read these rows; the columns are: {found}")
    lines = [
        recipe_line(FORMAT, kind, values) for kind, values in (certain or _possible(sample)).items()
    ]
    if lines:
        fix = _("put the line that is meant under `data:`\n{lines}")
        return Problem(place, what.format(found=names), fix.format(lines=_indented(lines)))
    fix = _("say under `data:` which columns to learn from, such as `{line}`; kinds are: {kinds}")
    line = recipe_line(FORMAT, "question-answer", {"question": "…", "answer": "…"})
    kinds = ", ".join(kind for kind in plugins.names("format") if kind != AUTO)
    return Problem(place, what.format(found=names), fix.format(line=line, kinds=kinds))


def _possible(sample: Rows) -> dict[str, Mapping[str, Any]]:
    """What would be certain if unknown columns were not there, or of single rows of a mixture."""
    known = [{n: value for n, value in row.items() if is_known_name(n)} for row in sample]
    possible = _certain(known)
    for row in sample:
        possible = {**_certain([row]), **possible}
    return possible


def _indented(lines: Sequence[str]) -> str:
    return "\n".join(f"    {line}" for line in lines)
