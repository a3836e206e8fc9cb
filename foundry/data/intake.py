"""Take a file in: every row becomes an example, a refusal with its line, or is counted as blank."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from foundry.core import atomic, plugins
from foundry.core.blocks import Block
from foundry.core.errors import DataError, Problem
from foundry.core.language import gettext as _
from foundry.core.records import Example, Refusal, SourceFile
from foundry.data.draft import Draft
from foundry.data.reading import AUTO, read
from foundry.data.rows import Bad, Blank, Row, RowError, is_blank, kept_text
from foundry.data.settling import SettledDraft, settle_draft

ID_DIGITS = 16  # 64 bits: two of a million conversations share an id once in 37 million data sets


@dataclass
class Intake:
    """What one file gave. `columns` holds every field name seen, in order of first sight."""

    name: str
    path: Path
    encoding: str
    rows: int = 0
    blank: int = 0
    examples: list[Example] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    columns: dict[str, None] = field(default_factory=dict)
    turns: Counter[str] = field(default_factory=Counter)
    notices: Counter[str] = field(default_factory=Counter)
    noticed: dict[str, str] = field(default_factory=dict)
    """The first place and example of each notice: `placeholder` -> `identity.json:1: {{name}}`."""

    def record(self, licence: str, declaration: Mapping[str, str | None]) -> SourceFile:
        """The file as the manifest names it."""
        return SourceFile(
            path=self.name,
            sha256=atomic.sha256(self.path),
            size_bytes=self.path.stat().st_size,
            encoding=self.encoding,
            rows=self.rows,
            licence=licence,
            declaration=declaration,
        )


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
        draft = plugins.load("format", self.format.kind).to_draft(row.values, self.format.spec)
        settled = settle_draft(draft)
        intake.turns.update(settled.counts)
        for code, found in settled.notices:
            intake.notices[code] += 1
            intake.noticed.setdefault(code, f"{intake.name}:{row.line}: {found}")
        return self._example(row, draft, settled, intake.name)

    def _example(self, row: Row, draft: Draft, settled: SettledDraft, source: str) -> Example:
        fields = {name: kept_text(value) for name, value in row.values.items()}
        key = _fingerprint(draft, settled)
        group = fields.get(self.group_by, "") if self.group_by else ""
        return Example(
            id=key,
            messages=settled.turns,
            source=source,
            line=row.line,
            group=key if is_blank(group) else group,
            fields=fields,
            tools=draft.tools,
            rejected=settled.rejected,
            label=draft.label,
            text=draft.text,
        )


def _fingerprint(draft: Draft, settled: SettledDraft) -> str:
    """The first `ID_DIGITS` of a hash of what is learned."""
    messages = [turn.as_dict() for turn in settled.turns]
    beside = {
        "tools": draft.tools,
        "rejected": settled.rejected.as_dict() if settled.rejected else None,
        "label": draft.label,
        "text": draft.text,
    }
    given = {name: value for name, value in beside.items() if value not in (None, (), "")}
    return atomic.fingerprint([*messages, given] if given else messages)[:ID_DIGITS]


def take(folder: Path, path: str, convert: Converter, how: Block = AUTO) -> Intake:
    """Read the file `path`, relative to `folder`, to its end.

    Raises:
        ResourceError: There is no such file.
        DataError: The file cannot be read, or has no rows.
    """
    file = folder / path
    reading = read(file, how)
    # An absolute path says where things lie on one machine, which no record may (C43).
    name = file.name if Path(path).is_absolute() else path
    intake = Intake(name, file, reading.encoding)
    for item in reading.items:
        if isinstance(item, Blank):
            intake.blank += 1
            continue
        intake.rows += 1
        _take_row(item, convert, intake)
    if intake.rows == 0:
        raise DataError(Problem(str(file), _("the file has no rows")))
    return intake


def _take_row(item: Row | Bad, convert: Converter, intake: Intake) -> None:
    if isinstance(item, Bad):
        intake.refusals.append(Refusal(intake.name, item.line, item.code, item.reason))
        return
    intake.columns.update(dict.fromkeys(item.values))
    try:
        intake.examples.append(convert.example(item, intake))
    except RowError as error:
        intake.refusals.append(Refusal(intake.name, item.line, error.code, error.reason))
