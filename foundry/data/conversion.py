"""From the items of a file to examples: the format that reads them, and the example of a row."""

from collections.abc import Collection, Iterator, Sequence
from itertools import islice

from foundry.core import plugins
from foundry.core.blocks import Block
from foundry.core.errors import DataError, Problem
from foundry.core.language import gettext as _
from foundry.core.records import Example
from foundry.data import guess
from foundry.data.rows import Bad, Blank, Item, Row, RowError
from foundry.data.settling import SettledDraft, settle_draft

SAMPLE_ITEMS = 10 * guess.SAMPLE_ROWS  # looked through for rows to guess from; the rest is bad


def first_items(items: Iterator[Item]) -> list[Item]:
    """The items to guess a format from, taken out of `items`; all where there are no more."""
    return list(islice(items, SAMPLE_ITEMS))


def resolve_items(
    first: Sequence[Item], format: Block, place: str, *, beside: Collection[str | None] = ()
) -> tuple[Block, bool]:
    """The format to read a file with, and whether it was guessed; see `guess.resolve`.

    Args:
        first: What `first_items` gave.
        format: As the recipe says.
        place: What an error calls the file.
        beside: Columns that the recipe names for something else.

    Raises:
        DataError: There are no rows, or no format is certain.
    """
    if len(first) < SAMPLE_ITEMS and all(isinstance(item, Blank) for item in first):
        raise no_rows(place)
    rows = [item.values for item in first if isinstance(item, Row)]
    return guess.resolve(format, rows[: guess.SAMPLE_ROWS], place, beside=beside)


def no_rows(place: str) -> DataError:
    """The error of a file in which nothing is written."""
    what, fix = _("the file has no rows"), _("put rows into it, or take it out of the recipe")
    return DataError(Problem(place, what, fix))


def readable(item: Row | Bad) -> Row:
    """The row, if its source could read it.

    Raises:
        RowError: It could not.
    """
    if isinstance(item, Bad):
        raise RowError(item.code, item.reason)
    return item


def example_of(row: Row, format: Block, source: str) -> tuple[Example, SettledDraft]:
    """The example of a row, still without `id`, `group` and `fields`; and what was settled in it.

    Raises:
        RowError: The row is refused.
    """
    draft = plugins.load("format", format.kind).to_draft(row.values, format.spec)
    settled = settle_draft(draft)
    example = Example(
        id="",
        messages=settled.turns,
        source=source,
        line=row.line,
        group="",
        tools=draft.tools,
        rejected=settled.rejected,
        label=draft.label,
        margin=draft.margin,
        text=draft.text,
    )
    return example, settled
