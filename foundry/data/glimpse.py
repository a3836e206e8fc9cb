"""The first rows of a file, read as a run would read them; nothing is written."""

from collections.abc import Collection
from dataclasses import dataclass, field

from foundry.core.blocks import Block
from foundry.core.records import Example, Refusal
from foundry.data.conversion import SAMPLE_ITEMS, example_of, first_items, readable, resolve_items
from foundry.data.places import Found
from foundry.data.reading import AUTO, read, told_of
from foundry.data.rows import Bad, Blank, Row, RowError


@dataclass
class Glimpse:
    """How a file is read, and what its first rows become.

    `columns` are those of the rows looked at, `rows` their number, all there are if `is_whole`;
    `is_table` says that each has the same columns.
    """

    name: str
    kind: str
    encoding: str
    format: Block
    guessed: bool
    columns: tuple[str, ...]
    is_table: bool
    rows: int
    is_whole: bool
    examples: list[Example] = field(default_factory=list)
    """Of the first rows; without id and fields, for nothing of them is kept."""
    refused: list[Refusal] = field(default_factory=list)
    """Those of the first rows that cannot be used."""
    notices: dict[str, str] = field(default_factory=dict)
    """Codes of what a person should look at in the first rows, each with its first place."""

    def convert(self, item: Row | Bad) -> None:
        """Make an example of a row, or note why there is none."""
        try:
            example, settled = example_of(readable(item), self.format, self.name)
        except RowError as error:
            self.refused.append(Refusal(self.name, item.line, error.code, error.reason))
            return
        for code, found in settled.notices:
            self.notices.setdefault(code, f"{self.name}:{item.line}: {found}")
        self.examples.append(example)


def glimpse(
    found: Found,
    format: Block,
    how: Block = AUTO,
    *,
    rows: int = 3,
    beside: Collection[str | None] = (),
) -> Glimpse:
    """Look at the first rows of a file.

    Args:
        found: The file.
        format: As the recipe says; the kind `auto` is guessed from the rows.
        how: How the recipe says to read it.
        rows: How many rows to make examples of.
        beside: Columns that the recipe names for something else; see `guess.resolve`.

    Raises:
        ResourceError: There is no such file.
        DataError: It cannot be read, has no rows, or no format is certain; says which lines of a
            recipe would settle that.
    """
    with told_of(found.shown, found.path):
        return _glimpse(found, format, how, rows, beside)


def _glimpse(
    found: Found, format: Block, how: Block, rows: int, beside: Collection[str | None]
) -> Glimpse:
    reading = read(found.path, how)
    items = first_items(reading.items)
    block, guessed = resolve_items(items, format, str(found.path), beside=beside)
    written = [item for item in items if not isinstance(item, Blank)]
    values = [item.values for item in written if isinstance(item, Row)]
    columns = tuple(dict.fromkeys(column for row in values for column in row))
    seen = Glimpse(
        name=found.name,
        kind=reading.kind,
        encoding=reading.encoding,
        format=block,
        guessed=guessed,
        columns=columns,
        is_table=bool(written) and all(len(row) == len(columns) for row in values),
        rows=len(written),
        is_whole=len(items) < SAMPLE_ITEMS,
    )
    for item in written[:rows]:
        seen.convert(item)
    return seen
