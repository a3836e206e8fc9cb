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
class ToolCall(Record):
    """One use of a tool: its name, and the arguments as the JSON object they are (C59)."""

    name: str
    arguments: Mapping[str, Any]
    id: str = ""


@dataclass(frozen=True)
class Turn(Record):
    """One message of a conversation; `role` is `system`, `user`, `assistant` or `tool`.

    `reasoning` is what the assistant thought before it answered. A `tool` turn holds the result of
    a call: `name` is the tool's, `call_id` that of the call it answers.
    """

    role: str
    content: str
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    name: str = ""
    call_id: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The message as templates and servers of the OpenAI kind take it.

        A key without a value is absent, since templates ask whether a key is defined (C53). The
        arguments of a call stay an object, which templates write out once (C59).
        """
        message: dict[str, Any] = {"role": self.role, "content": self.content}
        if self.reasoning:
            message["reasoning_content"] = self.reasoning
        if self.tool_calls:
            message["tool_calls"] = [
                {
                    **({"id": call.id} if call.id else {}),
                    "type": "function",
                    "function": {"name": call.name, "arguments": dict(call.arguments)},
                }
                for call in self.tool_calls
            ]
        if self.name:
            message["name"] = self.name
        if self.call_id:
            message["tool_call_id"] = self.call_id
        return message

    @classmethod
    def from_dict(cls, message: Mapping[str, Any]) -> "Turn":
        """The turn whose `as_dict` is `message`."""
        if message.keys() == {"role", "content"}:  # as most are, and there are millions
            return cls(message["role"], message["content"])
        calls = tuple(
            ToolCall(call["function"]["name"], call["function"]["arguments"], call.get("id", ""))
            for call in message.get("tool_calls", ())
        )
        return cls(
            message["role"],
            message["content"],
            message.get("reasoning_content", ""),
            calls,
            message.get("name", ""),
            message.get("tool_call_id", ""),
        )


@dataclass(frozen=True)
class Example(Record):
    """One row as training and evaluation see it, of one of TRL's dataset types (`type`).

    `id` is a hash of what is learned, so it is stable when rows are added or moved. `fields`
    keeps the row's other columns as text for evaluators; `group` is the value of the column that
    a split must not tear apart (the id itself where none is declared).

    A conversation ends with the answer to learn. With `rejected` it is a preference: the last
    turn is the better answer to the turns before, `rejected` the worse one, and `margin`, where it
    is known, says by how much. With `label` it is an unpaired preference: the last turn is a good
    answer or a bad one. With `text` there is no conversation: the text itself is learned.
    """

    id: str
    messages: tuple[Turn, ...]
    source: str
    line: int
    group: str
    fields: Mapping[str, str] = field(default_factory=dict)
    tools: tuple[Mapping[str, Any], ...] = ()
    rejected: Turn | None = None
    label: bool | None = None
    text: str = ""
    margin: float | None = None

    @property
    def type(self) -> str:
        """TRL's name of the dataset type."""
        if self.text:
            return "language-modeling"
        if self.rejected is not None:
            return "preference"
        return "conversation" if self.label is None else "unpaired-preference"

    @property
    def prompt(self) -> tuple[Turn, ...]:
        """The turns before the last assistant turn; none for a text."""
        return self.messages[:-1]

    @property
    def answer(self) -> str:
        """The text of the last assistant turn; the text itself where there are no turns."""
        return self.messages[-1].content if self.messages else self.text

    def as_dict(self) -> dict[str, Any]:
        """One JSON object of a part's file; a field without a value is absent."""
        made: dict[str, Any] = {
            "id": self.id,
            "messages": [turn.as_dict() for turn in self.messages],
            "source": self.source,
            "line": self.line,
            "group": self.group,
            "fields": dict(self.fields),
        }
        if self.tools:
            made["tools"] = [dict(tool) for tool in self.tools]
        if self.rejected is not None:
            made["rejected"] = self.rejected.as_dict()
        known = {"label": self.label, "margin": self.margin, "text": self.text or None}
        return made | {key: value for key, value in known.items() if value is not None}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Example":
        """The example whose `as_dict` is `values`."""
        turns = tuple(Turn.from_dict(message) for message in values["messages"])
        rejected = Turn.from_dict(values["rejected"]) if "rejected" in values else None
        tools = tuple(values.get("tools", ()))
        return cls(**{**values, "messages": turns, "rejected": rejected, "tools": tools})


@dataclass(frozen=True)
class Refusal(Record):
    """A row that was left out: where it stands, a short code to count by, and the reason."""

    source: str
    line: int
    code: str
    reason: str


@dataclass(frozen=True)
class SourceFile(Record):
    """An input file as it was read. `rows` = `used` + all of `refused`; blank lines stand apart.

    `kind` is the source it was read as, `format` the block that made conversations of its rows;
    `guessed` says that the recipe left the format to us. `turns`, `notices` and `noticed` are those
    of the manifest, for this file.
    """

    path: str
    sha256: str
    size_bytes: int
    encoding: str
    rows: int
    licence: str
    declaration: Mapping[str, str | None]
    kind: str = ""
    format: Mapping[str, Any] = field(default_factory=dict)
    guessed: bool = False
    columns: tuple[str, ...] = ()
    used: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)
    blank: int = 0
    turns: Mapping[str, int] = field(default_factory=dict)
    notices: Mapping[str, int] = field(default_factory=dict)
    noticed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class SkippedFile(Record):
    """A file of a folder, a pattern or an archive that was not read, and a short code why."""

    path: str
    reason: str


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
    (C20). `notices` counts what a person should look at though no row was refused for it;
    `noticed` has the first place and example of those in one row. `planted` counts canaries, apart;
    `mixture` is from `data.mixture.as_recorded`, with `repeated` rows that stand in `train` again.
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
    noticed: Mapping[str, str] = field(default_factory=dict)
    skipped: tuple[SkippedFile, ...] = ()
    planted: int = 0
    mixture: Mapping[str, Any] = field(default_factory=dict)

    def part(self, name: str) -> Part:
        """The part called `name`."""
        return next(p for p in self.parts if p.name == name)


@dataclass(frozen=True)
class EncodedRow(Record):
    """One example as ids. `labels[t]` is `input_ids[t]` where supervised, -100 elsewhere.

    Labels are not shifted, which the model class does itself (C15). A preference holds the same
    prompt ids twice, before each of its answers, and its `margin` where it has one; `label` is that
    of an unpaired preference.
    """

    id: str
    input_ids: tuple[int, ...]
    labels: tuple[int, ...]
    rejected_input_ids: tuple[int, ...] = ()
    rejected_labels: tuple[int, ...] = ()
    label: bool | None = None
    margin: float | None = None


@dataclass(frozen=True)
class ShardSet(Record):
    """Encoded training rows on disk; `key` is a hash of `key_parts`, all that made them (C21).

    `validation` names the file of the rows to measure the loss on, and counts them.
    """

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
    type: str = "conversation"
    validation: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class TrainResult(Record):
    """A finished training: the curve, the learning proof, and the folder of what was trained.

    `adapter` is that folder, a whole model where all weights were trained; `forecast` as in
    `planning.outcome`; `warnings`, each with a `code`, explain a poor result; `validation` is the
    loss on held-out rows; `metrics` are a trainer's own; `seconds_before`, of earlier starts.
    """

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
    forecast: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[Mapping[str, Any], ...] = ()
    validation: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    seconds_before: float = 0.0


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
    """Where the numbers lie, the gates' verdicts, and the report's sentences in every language."""

    json_file: str
    html_files: tuple[str, ...]
    scores: Mapping[str, Any]
    gates: tuple[Mapping[str, Any], ...]
    headlines: tuple[Mapping[str, str], ...] = ()


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
    `settings_sha256` that of configuration and tokenizer; `templates`: place -> hash of its text.
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
    templates: Mapping[str, str] = field(default_factory=dict)

    def shown(self) -> dict[str, Any]:
        """What a report says of it."""
        return {"name": self.name, "sha256": self.sha256, "chat_templates": dict(self.templates)}


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
    override: Mapping[str, Any] | None = None  # why it was made although licences conflict
    sovereignty: Mapping[str, Any] = field(default_factory=dict)  # policy, and origins of models
    models: Mapping[str, Any] = field(default_factory=dict)  # hashes of teacher and references

    @property
    def run_name(self) -> str:
        """The folder of the run: the recipe's name and eight digits of the fingerprint."""
        return f"{self.name}-{self.fingerprint[:8]}"
