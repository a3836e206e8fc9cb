"""What a licence allows, asks for and forbids: facts in `configs/licences/`, rules over them.

Nothing here is legal advice. A fact that is not known is null, and `marks` says how well the
rest is known.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Literal, Self

from pydantic import Field, model_validator

from foundry.core import facts, shipped
from foundry.core.errors import Problem, RecipeError
from foundry.core.fields import Closed, Many, Refused, Sha256
from foundry.core.language import gettext as _
from foundry.core.language import language
from foundry.core.recipe import Text, Words
from foundry.policy import spdx

UNKNOWN = "unknown"

Kind = Literal["may", "must", "must-not"]


class Rule(Text):
    """One sentence of a licence in plain words."""

    clause: Words | None = Field(description="Where it stands in the licence; null: not known.")


class TextFile(Closed):
    """A legal text that a package has to carry, verbatim."""

    file: Words = Field(description="File in configs/licences/texts/.")
    ship_as: Words = Field(description="Its name in a package's `licences` folder.")
    sha256: Sha256
    source: Words = Field(description="Where the text was taken from.")
    read_on: Words = Field(description="Date of taking it.")


class Licence(facts.Fact):
    """The terms that come with a model or with data."""

    aliases: Many[Words]
    spdx: Words | None = Field(description="SPDX identifier, https://spdx.org/licenses.")
    title: Text
    summary: Text
    licensor: Words | None
    version_date: Words | None
    read_on: Words = Field(description="Date on which these facts were last looked at.")
    url: Words | None
    commercial: bool | None = Field(description="Whether commercial use is allowed.")
    redistribution: bool | None = Field(description="Whether it may be passed on.")
    mau_cap: int | None = Field(description="Monthly users above which to ask the licensor.")
    name_prefix: Words | None = Field(description="What a derived model's name must begin with.")
    display: Many[Words] = Field(description="Sentences to show prominently, word for word.")
    notice: Words | None = Field(description="Sentence for the NOTICE file, word for word.")
    ship_copy_of_terms: bool
    mark_changes: bool
    attribution: bool = Field(description="Whether the source must be named.")
    share_alike: bool = Field(description="Whether what is made from it keeps its terms.")
    derivatives: bool | None = Field(description="Whether what is made from it may be passed on.")
    results_free: bool = Field(description="Whether what is computed from it is free of its terms.")
    void_without_attribution: bool = Field(
        description="Whether the licence counts as never granted where the source is not named."
    )
    includes: Many[Words] = Field(description="Licences whose terms apply as well.")
    improves_only: Many[Words] = Field(
        description="Licences of the only models that it or its output may improve; empty: any."
    )
    source_only_from: Many[Words] = Field(
        description="Hosts, or hosts with the start of a path, to get it from; empty: any."
    )
    output_trained_models_bound: bool | None
    revocable_on: Many[Literal["breach", "ip-suit", "patent-suit"]]
    unilateral_amendment: bool | None
    indemnity: bool | None
    governing_law: Words | None = Field(description="ISO 3166 code of the country or state.")
    court: Words | None
    needs_acceptance: bool = Field(description="Whether use is refused until terms are accepted.")
    may: Many[Rule]
    must: Many[Rule]
    must_not: Many[Rule]
    passthrough_terms: Many[Rule] = Field(description="Terms that bind each recipient in turn.")
    statements: Many[Rule] = Field(
        description="What it wants to be said in the notice and on the card, in our words."
    )
    clauses: dict[str, Words] = Field(description="Key of a fact -> the clause it rests on.")
    text_files: Many[TextFile]
    no_text_because: Text | None
    note: Text | None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if bool(self.text_files) == (self.no_text_because is not None):
            raise Refused(_("give either `text_files` or `no_text_because`"))
        for key in self.clauses:
            if key not in type(self).model_fields:
                raise Refused(_("there is no key `{key}` to mark").format(key=key))
        return self

    def clause(self, key: str) -> str | None:
        """The clause that a fact rests on; None where we do not know its number."""
        return self.clauses.get(key)

    @property
    def lacks_text(self) -> bool:
        """Whether a copy of its text must go along that does not come with the program."""
        return self.ship_copy_of_terms and not self.text_files

    @property
    def names(self) -> frozenset[str]:
        """Every name it goes by, in lower case."""
        return frozenset(n.lower() for n in (self.name, self.spdx, *self.aliases) if n)


@dataclass(frozen=True)
class Obligation:
    """One line for a person: what a licence lets, makes or forbids them to do.

    `has_numbers` is False where the clause has a number that we do not know.
    """

    licence: str
    kind: Kind
    clause: str | None
    text: str
    has_numbers: bool = True

    def __str__(self) -> str:
        words = {"may": _("may"), "must": _("must"), "must-not": _("must not")}
        line = f"{words[self.kind]}: {self.text}"
        if self.clause is not None:
            return f"{line} ({self.clause})"
        return line if self.has_numbers else f"{line} {_('(clause not known)')}"


def folder() -> Path:
    """Where the licences' files lie."""
    return shipped.root() / "configs" / "licences"


@cache
def load_licences() -> Mapping[str, Licence]:
    """Every licence by name, sorted; read once.

    Raises:
        RecipeError: A file is wrong; each problem with file, line and key.
    """
    return MappingProxyType(facts.read_folder(folder(), Licence))


def find(name: str) -> Licence:
    """The licence meant by a name, an alias or an SPDX identifier, in any case.

    Raises:
        RecipeError: There is none; names the nearest.
    """
    known = {other: licence for licence in load_licences().values() for other in licence.names}
    wanted = name.strip().lower()
    if wanted in known:
        return known[wanted]
    official = spdx.identifier(name)
    if official is not None:
        what = _("`{name}` is on the SPDX list, but no facts about it are held here")
        fix = _("write `licence: unknown` and answer for it, or use data under one of: {names}")
        names = ", ".join(load_licences())
        raise RecipeError(Problem(name, what.format(name=official), fix.format(names=names)))
    fix = _("use one of: {names}; for data of your own, `own-data`").format(
        names=", ".join(load_licences())
    )
    raise facts.unknown_name(name, known, _("no facts are known about this licence"), fix)


def named(expression: str) -> tuple[Licence, ...]:
    """The licences meant by a name or an SPDX expression of names joined by `AND`.

    Raises:
        RecipeError: One of them is not known; or a choice (`OR`) is left open.
    """
    try:
        parts = spdx.parts(expression)
    except spdx.ChoiceLeftOpen as error:
        what = _("`{name}` leaves a choice open").format(name=expression)
        fix = _("write the one you take, such as `{name}`").format(name=error.first)
        raise RecipeError(Problem(expression, what, fix)) from None
    return tuple(find(part) for part in parts)


def terms_to_accept(names: Iterable[str]) -> tuple[Licence, ...]:
    """The licences among `names` whose terms must be accepted before use, each once."""
    found = {licence.name: licence for licence in map(find, names)}
    return tuple(licence for licence in found.values() if licence.needs_acceptance)


def obligations(names: Iterable[str]) -> list[Obligation]:
    """What the licences let, make and forbid a person to do, in the language in force.

    Ordered by may, must, must not, and within each by licence.
    """
    found = list({licence.name: licence for licence in map(find, names)}.values())
    return [line for kind in ("may", "must", "must-not") for x in found for line in _lines(x, kind)]


def _lines(licence: Licence, kind: str) -> list[Obligation]:
    # A text we hold and that has no number there has none at all, as MIT's.
    has_numbers = bool(licence.text_files) or licence.licensor is None
    rules: dict[Kind, Sequence[Rule]] = {
        "may": licence.may,
        "must": licence.must,
        "must-not": licence.must_not,
    }
    return [
        Obligation(licence.name, k, rule.clause, rule.text(language()), has_numbers)
        for k, found in rules.items()
        if k == kind
        for rule in found
    ]
