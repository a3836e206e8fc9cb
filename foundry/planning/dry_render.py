"""The first rows of each file of a recipe as the model would be trained on them.

The rows go the way of a run, by the same functions: source, format, template, mask. Only the
tokenizer is opened by a lighter library. Without the base model the turns are shown as they are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from foundry.core.errors import DataError, Problem
from foundry.core.language import gettext as _
from foundry.core.load import LoadedRecipe
from foundry.core.records import Example, Record, Refusal
from foundry.data.glimpse import Glimpse
from foundry.data.notices import sentence
from foundry.encode.checks import check_many
from foundry.encode.mask import Masked
from foundry.encode.rows import Encoded, encode_many
from foundry.encode.tokenize import Encoder, encoder_of
from foundry.models.at_hand import AtHand, at_hand
from foundry.models.light_tokenizer import open_light
from foundry.models.load import chat_template
from foundry.models.tokenizer import open_tokenizer
from foundry.planning.first_look import first_look
from foundry.planning.trainers import not_read

Parts = tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class RenderedRow(Record):
    """A row as it would be trained: `parts` are `{text, supervised}`, in order.

    A preference gives two, the better answer first. Without the base model `parts` are the turns
    and `tokens` is None. `is_too_long` says that the row has more tokens than `max_seq_len`.
    """

    line: int
    parts: Parts
    tokens: int | None = None
    is_too_long: bool = False


@dataclass(frozen=True)
class RenderedFile(Record):
    """How a file is read, and its first rows, none for a file to test on.

    `key` is where the recipe names it; `notices` tell what a person should look at.
    """

    key: str
    name: str
    kind: str
    encoding: str
    format: Mapping[str, Any]
    guessed: bool
    columns: tuple[str, ...]
    rows: tuple[RenderedRow, ...]
    notices: tuple[str, ...]


@dataclass(frozen=True)
class DryRender(Record):
    """What `recipe check` shows. `is_base_here` says that rows went through its template.

    `more_files` counts those of folders and archives that were not looked at.
    """

    base_model: str
    is_base_here: bool
    max_seq_len: int
    files: tuple[RenderedFile, ...]
    more_files: int
    problems: tuple[Problem, ...]


@dataclass
class _Renderer:
    """Renders rows and collects what is wrong with them."""

    encoder: Encoder | None
    max_seq_len: int
    fails_on_overlong: bool
    problems: list[Problem] = field(default_factory=list)

    def rows(self, examples: Sequence[Example]) -> list[RenderedRow]:
        """The rows of a few examples."""
        if self.encoder is None:
            return [RenderedRow(example.line, turns(example)) for example in examples]
        try:
            outcomes = encode_many(examples, self.encoder)
        except DataError as error:
            self.problems += error.problems
            return [RenderedRow(example.line, turns(example)) for example in examples]
        made = [outcome for outcome in outcomes if not isinstance(outcome, Refusal)]
        self.refuse([outcome for outcome in outcomes if isinstance(outcome, Refusal)])
        for faults in check_many(made, self.encoder):
            self.problems += faults
        return [row for encoded in made for row in self._encoded(encoded)]

    def refuse(self, refused: Sequence[Refusal]) -> None:
        """Note rows that cannot be used."""
        self.problems += [Problem(f"{r.source}:{r.line}", r.reason) for r in refused]

    def _encoded(self, encoded: Encoded) -> list[RenderedRow]:
        line, rows = encoded.example.line, list[RenderedRow]()
        for piece in encoded.pieces:
            tokens, most = len(piece.ids), self.max_seq_len
            rows.append(RenderedRow(line, parts(piece.masked), tokens, tokens > most))
            if tokens > most and self.fails_on_overlong:
                what = _("{length} tokens, the limit is {limit}").format(length=tokens, limit=most)
                fix = _("raise `encode.max_seq_len`, or set `encode.overlong: drop`")
                self.problems.append(Problem(f"{encoded.example.source}:{line}", what, fix))
        return rows


def dry_render(loaded: LoadedRecipe) -> DryRender:
    """Look at the first rows of every file.

    Raises:
        RecipeError: The base model is not one that exists.
        ResourceError: The base model's folder holds what is not opened.
    """
    recipe = loaded.recipe
    base = at_hand(recipe.base_model, loaded.path.parent)
    encoder = None if base is None else light_encoder(base, recipe.encode.system)
    settings, look = recipe.encode, first_look(loaded)
    renderer = _Renderer(encoder, settings.max_seq_len, settings.overlong == "fail", look.problems)
    files = []
    for seen in look.files:
        renderer.refuse(seen.file.refused)
        rows = renderer.rows(seen.file.examples) if seen.test is None else []
        files.append(file_view(seen.key, seen.file, rows))
    learned = [seen.file.examples for seen in look.files if seen.test is None]
    types = dict.fromkeys(example.type for examples in learned for example in examples)
    renderer.problems += filter(None, (not_read(loaded, found) for found in types))
    return DryRender(
        base_model=recipe.base_model,
        is_base_here=encoder is not None,
        max_seq_len=settings.max_seq_len,
        files=tuple(files),
        more_files=look.more,
        problems=tuple(renderer.problems),
    )


def light_encoder(base: AtHand, system: str | None) -> Encoder:
    """The encoder of a base model, without transformers where its folder allows that."""
    tokenizer = open_light(base.folder) or open_tokenizer(base.folder)
    return encoder_of(tokenizer, chat_template(base, tokenizer), system)


def file_view(key: str, seen: Glimpse, rows: Sequence[RenderedRow]) -> RenderedFile:
    """A file as it is shown."""
    return RenderedFile(
        key=key,
        name=seen.name,
        kind=seen.kind,
        encoding=seen.encoding,
        format=seen.format.model_dump(mode="json"),
        guessed=seen.guessed,
        columns=seen.columns,
        rows=tuple(rows),
        notices=tuple(f"{place}: {sentence(code)}" for code, place in seen.notices.items()),
    )


def parts(masked: Masked) -> Parts:
    """A rendered text cut where supervision begins and ends."""
    made, at = list[dict[str, Any]](), 0
    for span in masked.spans:
        made.append({"text": masked.text[at : span.start], "supervised": False})
        made.append({"text": masked.text[span.start : span.stop], "supervised": True})
        at = span.stop
    made.append({"text": masked.text[at:], "supervised": False})
    return tuple(part for part in made if part["text"])


def turns(example: Example) -> Parts:
    """An example without a template: a line for each turn, what is learned marked."""
    if example.text:
        return ({"text": example.text, "supervised": True},)
    made = list[dict[str, Any]]()
    last = len(example.messages) - 1
    for number, turn in enumerate(example.messages):
        said = turn.content or ", ".join(f"{call.name}(…)" for call in turn.tool_calls)
        is_learned = turn.role == "assistant" and (example.type == "conversation" or number == last)
        made.append({"text": f"{turn.role}: ", "supervised": False})
        made.append({"text": said, "supervised": is_learned})
        made.append({"text": "\n", "supervised": False})
    return tuple(made[:-1])
