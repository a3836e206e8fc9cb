"""The frozen records that pass between stages; each can be written as JSON and read back.

Nothing here computes. A record names files relative to the run directory, so that a run can be
moved and a package holds no absolute path (C43).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


class Record:
    """A frozen dataclass that can be written as JSON."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values: dicts, lists, strings, numbers, booleans, None."""
        return asdict(self)  # type: ignore[call-overload, no-any-return]


@dataclass(frozen=True)
class Turn(Record):
    """One message of a conversation; `role` is `system`, `user` or `assistant`."""

    role: str
    content: str


@dataclass(frozen=True)
class Example(Record):
    """One row as training and evaluation see it: TRL's conversational `messages` type.

    `id` is a hash of the conversation, so it is stable when rows are added or moved. `fields`
    keeps the row's other columns as text for evaluators; `group` is the value of the column that
    a split must not tear apart (the id itself where none is declared).
    """

    id: str
    messages: tuple[Turn, ...]
    source: str
    line: int
    group: str
    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def prompt(self) -> tuple[Turn, ...]:
        """The turns before the last assistant turn."""
        return self.messages[:-1]

    @property
    def answer(self) -> str:
        """The text of the last assistant turn."""
        return self.messages[-1].content


@dataclass(frozen=True)
class Refusal(Record):
    """A row that was left out: where it stands, a short code to count by, and the reason."""

    source: str
    line: int
    code: str
    reason: str


@dataclass(frozen=True)
class SourceFile(Record):
    """An input file as it was read; `rows` counts data rows, blank lines apart."""

    path: str
    sha256: str
    size_bytes: int
    encoding: str
    rows: int
    licence: str
    declaration: Mapping[str, str | None]


@dataclass(frozen=True)
class Part(Record):
    """A named set of examples written as JSON lines: `train` or a test part."""

    name: str
    file: str
    rows: int
    sha256: str
    groups: int


@dataclass(frozen=True)
class DatasetManifest(Record):
    """What stage 3 made. `rows_in` = `rows_used` + `rows_refused` + `rows_blank`, always.

    `turns` counts those of every row that became an example: `in` = `out` + all other counts
    (C20). `notices` counts what a person should look at though no row was refused for it.
    """

    sources: tuple[SourceFile, ...]
    parts: tuple[Part, ...]
    rows_in: int
    rows_used: int
    rows_refused: int
    rows_blank: int
    refused_by_code: Mapping[str, int]
    overlap: Mapping[str, Any]
    turns: Mapping[str, int] = field(default_factory=dict)
    notices: Mapping[str, int] = field(default_factory=dict)

    def part(self, name: str) -> Part:
        """The part called `name`."""
        return next(p for p in self.parts if p.name == name)


@dataclass(frozen=True)
class EncodedRow(Record):
    """One example as ids. `labels[t]` is `input_ids[t]` where supervised, -100 elsewhere.

    Labels are not shifted: position t is predicted from the positions before it by the model
    class itself (C15).
    """

    id: str
    input_ids: tuple[int, ...]
    labels: tuple[int, ...]


@dataclass(frozen=True)
class ShardSet(Record):
    """Encoded training rows on disk; `key` is a hash of `key_parts`, all that made them (C21)."""

    file: str
    sha256: str
    key: str
    key_parts: Mapping[str, Any]
    rows: int
    tokens: int
    supervised_tokens: int
    longest: int
    stop_ids: tuple[int, ...]
    mask: Mapping[str, Any]


@dataclass(frozen=True)
class TrainResult(Record):
    """A finished training: the adapter's folder, the curve, and the learning proof."""

    adapter: str
    steps: int
    epochs: float
    first_loss: float
    last_loss: float
    seconds: float
    tokens: int
    supervised_tokens: int
    trainable_parameters: int
    proof: Mapping[str, Any]


@dataclass(frozen=True)
class Export(Record):
    """One artefact: `path` is a file or folder, `files` maps its files to SHA-256."""

    kind: str
    name: str
    path: str
    files: Mapping[str, str]
    size_bytes: int
    parity: Mapping[str, Any]


@dataclass(frozen=True)
class Exports(Record):
    """Every artefact of a run, each with its parity record."""

    items: tuple[Export, ...]


@dataclass(frozen=True)
class EvalReport(Record):
    """Where the measured numbers lie (`report.json`, `report.html`) and the gates' verdicts."""

    json_file: str
    html_files: tuple[str, ...]
    scores: Mapping[str, Any]
    gates: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Package(Record):
    """What is handed over."""

    name: str
    version: str
    path: str
    files: Mapping[str, str]


@dataclass(frozen=True)
class BaseModel(Record):
    """A base model as the plan fixed it.

    `folder` is where the files lie on this machine and never enters a package; `sha256` is the
    hash of the weights, which with `hub_id` and `revision` is how a package names its base;
    `settings_sha256` that of its configuration, tokenizer and chat template.
    """

    name: str
    family: str
    hub_id: str | None
    revision: str | None
    sha256: str
    licence: str
    folder: str
    gguf: str | None
    parameters: int
    context: int
    settings_sha256: str = ""


@dataclass(frozen=True)
class Plan(Record):
    """A recipe with nothing left open: every value, the origin of each, and what it will cost."""

    name: str
    fingerprint: str
    foundry_version: str
    recipe_path: str
    values: Mapping[str, Any]
    origins: Mapping[str, str]
    base: BaseModel
    inputs: Mapping[str, str]
    licences: tuple[Mapping[str, Any], ...]
    accepted_terms: tuple[str, ...]
    resolved: Mapping[str, Any]
    estimate: Mapping[str, Any]

    @property
    def run_name(self) -> str:
        """The folder of the run: the recipe's name and eight digits of the fingerprint."""
        return f"{self.name}-{self.fingerprint[:8]}"
