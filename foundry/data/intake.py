"""Take a file in: every row becomes an example, a refusal with its line, or is counted as blank.

Examples and refusals are written to a work folder as they come. Memory keeps counts and keys, so
that a file of any length can be read.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any, TextIO

from foundry.core import atomic
from foundry.core.blocks import Block
from foundry.core.records import Example, Refusal
from foundry.data import guess
from foundry.data.conversion import example_of, first_items, no_rows, readable, resolve_items
from foundry.data.keys import Keys
from foundry.data.places import Found
from foundry.data.reading import read, told_of
from foundry.data.rows import Bad, Blank, Item, Row, RowError, is_blank, kept_text

ID_DIGITS = 16  # 64 bits: two of a million conversations share an id once in 37 million data sets
MOST_SHOWN = 10  # refused rows kept to be shown in an error
MOST_COLUMNS = 10_000  # names kept; where each row has names of its own they are no columns
LINE = json.JSONEncoder(ensure_ascii=False, allow_nan=False)


@dataclass
class Intake:
    """What one file gave; its examples and refusals lie as JSON lines in files of a work folder.

    `columns` holds every field name seen, in order of first sight.
    """

    name: str
    path: Path
    kind: str
    encoding: str
    format: Block
    guessed: bool
    keys: Keys
    examples: Path
    refusals: Path
    rows: int = 0
    blank: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    first_refused: list[Refusal] = field(default_factory=list)
    columns: dict[str, None] = field(default_factory=dict)
    turns: Counter[str] = field(default_factory=Counter)
    notices: Counter[str] = field(default_factory=Counter)
    noticed: dict[str, str] = field(default_factory=dict)
    """The first place and example of each notice: `placeholder` -> `identity.json:1: {{name}}`."""

    def read_examples(self) -> Iterator[Example]:
        """The examples in the order of the file."""
        return (Example.from_dict(values) for values in _read_lines(self.examples))

    def read_refusals(self) -> Iterator[Refusal]:
        """The rows refused one by one, in the order of the file."""
        return (Refusal(**values) for values in _read_lines(self.refusals))


@dataclass(frozen=True)
class Converter:
    """How a row becomes an example: the recipe's format, and the column of its group if any."""

    format: Block
    group_by: str | None

    def example(self, row: Row, intake: Intake) -> Example:
        """The example of a row; its turns are counted in `intake`.

        Raises:
            RowError: The row is refused.
        """
        example, settled = example_of(row, self.format, intake.name)
        intake.turns.update(settled.counts)
        for code, found in settled.notices:
            intake.notices[code] += 1
            intake.noticed.setdefault(code, f"{intake.name}:{row.line}: {found}")
        fields = {name: kept_text(value) for name, value in row.values.items()}
        key = _fingerprint(example)
        group = fields.get(self.group_by, "") if self.group_by else ""
        return replace(example, id=key, group=key if is_blank(group) else group, fields=fields)


def _fingerprint(example: Example) -> str:
    """The first `ID_DIGITS` of a hash of what is learned."""
    messages = [turn.as_dict() for turn in example.messages]
    beside = {
        "tools": example.tools,
        "rejected": example.rejected.as_dict() if example.rejected else None,
        "label": example.label,
        "text": example.text,
    }
    given = {name: value for name, value in beside.items() if value not in (None, (), "")}
    return atomic.fingerprint([*messages, given] if given else messages)[:ID_DIGITS]


def take(found: Found, how: Block, convert: Converter, keys: Keys, work: Path) -> Intake:
    """Read a file to its end.

    Args:
        found: The file.
        how: How the recipe says to read it.
        convert: Makes examples of its rows.
        keys: Takes the keys of the examples; empty.
        work: A folder for this file alone, which is made.

    Raises:
        ResourceError: There is no such file.
        DataError: The file cannot be read, or has no rows.
    """
    work.mkdir()
    with told_of(found.shown, found.path):
        return _take(found, how, convert, keys, work)


def _take(found: Found, how: Block, convert: Converter, keys: Keys, work: Path) -> Intake:
    reading = read(found.path, how)
    beside = (convert.group_by, *keys.columns)
    items, (block, guessed) = _guessed(reading.items, convert.format, beside, found.path)
    intake = Intake(
        name=found.name,
        path=found.path,
        kind=reading.kind,
        encoding=reading.encoding,
        format=block,
        guessed=guessed,
        keys=keys,
        examples=work / "examples.jsonl",
        refusals=work / "refused.jsonl",
    )
    _take_items(items, replace(convert, format=block), intake)
    if intake.rows == 0:
        raise no_rows(str(found.path))
    return intake


def _guessed(
    items: Iterable[Item], format: Block, beside: tuple[str | None, ...], path: Path
) -> tuple[Iterator[Item], tuple[Block, bool]]:
    """The same items, with the format to use and whether it was guessed from the first of them."""
    rest = iter(items)
    if format.kind != guess.AUTO:
        return rest, (format, False)
    first = first_items(rest)
    return chain(first, rest), resolve_items(first, format, str(path), beside=beside)


def _take_items(items: Iterator[Item], convert: Converter, intake: Intake) -> None:
    with (
        intake.examples.open("w", encoding="utf-8", newline="\n") as examples,
        intake.refusals.open("w", encoding="utf-8", newline="\n") as refusals,
    ):
        for item in items:
            if isinstance(item, Blank):
                intake.blank += 1
                continue
            intake.rows += 1
            try:
                example = _example(item, convert, intake)
            except RowError as error:
                refusal = Refusal(intake.name, item.line, error.code, error.reason)
                _refuse(refusal, intake, refusals)
            else:
                intake.keys.add(example)
                examples.write(f"{LINE.encode(example.as_dict())}\n")


def _example(item: Row | Bad, convert: Converter, intake: Intake) -> Example:
    row = readable(item)
    if len(intake.columns) < MOST_COLUMNS:
        intake.columns.update(dict.fromkeys(row.values))
    return convert.example(row, intake)


def _refuse(refusal: Refusal, intake: Intake, refusals: TextIO) -> None:
    intake.refused[refusal.code] += 1
    if len(intake.first_refused) < MOST_SHOWN:
        intake.first_refused.append(refusal)
    refusals.write(f"{LINE.encode(refusal.as_dict())}\n")


def _read_lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as stream:
        for line in stream:
            yield json.loads(line)
