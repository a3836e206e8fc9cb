"""What a licence allows, asks for and forbids: facts in `configs/licences/`, rules over them.

Nothing here is legal advice. A fact that is not known is null, and `marks` says how well the
rest is known.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from foundry.core import facts, shipped
from foundry.core.errors import Problem
from foundry.core.fields import Closed, Many, Refused
from foundry.core.language import gettext as _
from foundry.core.language import language
from foundry.core.recipe import Text, Words

RESEARCH = "research"  # the purpose (or its first word) under which non-commercial terms are kept

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
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
    share_alike: bool
    source_only_from: Many[Words]
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
    text_files: Many[TextFile]
    no_text_because: Text | None
    note: Text | None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if bool(self.text_files) == (self.no_text_because is not None):
            raise Refused(_("give either `text_files` or `no_text_because`"))
        return self

    @property
    def names(self) -> frozenset[str]:
        """Every name it goes by, in lower case."""
        return frozenset(n.lower() for n in (self.name, self.spdx, *self.aliases) if n)


@dataclass(frozen=True)
class Obligation:
    """One line for a person: what a licence lets, makes or forbids them to do."""

    licence: str
    kind: Kind
    clause: str | None
    text: str

    def __str__(self) -> str:
        words = {"may": _("may"), "must": _("must"), "must-not": _("must not")}
        line = f"{words[self.kind]}: {self.text}"
        return line if self.clause is None else f"{line} ({self.clause})"


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
    if wanted not in known:
        fix = _("use one of: {names}; for data of your own, `own-data`").format(
            names=", ".join(load_licences())
        )
        raise facts.unknown_name(name, known, _("no facts are known about this licence"), fix)
    return known[wanted]


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


def check_use(
    *,
    base: Licence,
    data: Sequence[tuple[str, Licence]],
    purpose: str,
    accepted: Collection[str],
    model_name: str | None = None,
) -> list[Problem]:
    """Why base and data may not be used together for `purpose`; empty where they may.

    Args:
        base: Licence of the base model.
        data: Each source's name (for messages) with its licence.
        purpose: The recipe's purpose; `research`, or a word that begins with `research-`, keeps
            non-commercial terms.
        accepted: Names of licences whose terms the user accepted (`--accept-terms`).
        model_name: The result's name, to be checked against a prefix that terms ask for.
    """
    used = [("base_model", base), *data]
    problems = [_not_accepted(licence) for licence in _unaccepted(used, accepted)]
    if not _is_research(purpose):
        problems += [_not_commercial(where, x, purpose) for where, x in used if not _sells(x)]
    if model_name is not None:
        problems += [
            _wrong_name(model_name, x) for __, x in used if not _begins_well(model_name, x)
        ]
    return list(dict.fromkeys(problems))


def _lines(licence: Licence, kind: str) -> list[Obligation]:
    rules: dict[Kind, Sequence[Rule]] = {
        "may": licence.may,
        "must": licence.must,
        "must-not": licence.must_not,
    }
    return [
        Obligation(licence.name, k, rule.clause, rule.text(language()))
        for k, found in rules.items()
        if k == kind
        for rule in found
    ]


def _unaccepted(
    used: Sequence[tuple[str, Licence]], accepted: Collection[str]
) -> tuple[Licence, ...]:
    names = {name.strip().lower() for name in accepted}
    wanted = terms_to_accept(licence.name for __, licence in used)
    return tuple(licence for licence in wanted if not licence.names & names)


def _not_accepted(licence: Licence) -> Problem:
    what = _("the terms of {title} have not been accepted; in short:").format(
        title=licence.title.text(language())
    )
    lines = [str(line) for line in obligations([licence.name])]
    if licence.url is not None:
        lines.append(_("full text: {url}").format(url=licence.url))
    fix = _("read them, and add `--accept-terms {name}` if you accept").format(name=licence.name)
    return Problem(licence.name, "\n".join([what, *(f"    {line}" for line in lines)]), fix)


def _is_research(purpose: str) -> bool:
    return purpose.strip().lower().split("-")[0] == RESEARCH


def _sells(licence: Licence) -> bool:
    """Unknown counts as allowed here: such terms must be accepted by a person first."""
    return licence.commercial is not False


def _not_commercial(where: str, licence: Licence, purpose: str) -> Problem:
    what = _("{title} forbids commercial use, and the purpose is `{purpose}`")
    return Problem(
        where,
        what.format(title=licence.title.text(language()), purpose=purpose),
        _("use something else, or set `purpose: research` if the result is for research only"),
    )


def _begins_well(model_name: str, licence: Licence) -> bool:
    prefix = licence.name_prefix
    return prefix is None or model_name.lower().startswith(prefix.lower())


def _wrong_name(model_name: str, licence: Licence) -> Problem:
    what = _("{title} wants the model's name to begin with `{prefix}`; got `{name}`")
    prefix = licence.name_prefix or ""
    return Problem(
        "name",
        what.format(title=licence.title.text(language()), prefix=prefix, name=model_name),
        _("set `name: {name}`").format(name=f"{prefix.lower()}-{model_name}"),
    )
