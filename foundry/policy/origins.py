"""Where models come from, and the policies that refuse some: dated data in `configs/policies/`.

A policy is what a buyer asks for, not a law; each says what it rests on and how well that is known.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import Field

from foundry.core import facts, shipped
from foundry.core.fields import Closed, Many
from foundry.core.language import gettext as _
from foundry.core.language import language
from foundry.core.recipe import Text, Words
from foundry.core.use import Country
from foundry.policy.conflicts import Conflict

PolicyName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$", max_length=64)]
BASE = "base_model"
UNKNOWN_ORIGIN, EXCLUDED_ORIGIN = RULES = ("unknown-origin", "excluded-origin")


class SourceOfRule(Closed):
    """Where a rule comes from, and how well that is known."""

    title: Words
    url: Words
    mark: facts.Mark


class Policy(facts.Fact):
    """Which origins a buyer refuses, and why."""

    name: PolicyName
    title: Text
    dated: Words = Field(description="When it was last looked at.")
    excluded_origins: Many[Country] = Field(description="ISO 3166-1 codes of countries.")
    unknown_origin: Literal["refused", "accepted"] = Field(
        description="What becomes of weights whose origin nobody states."
    )
    clause: Words = Field(description="Where the rule stands that it rests on.")
    reason: Text
    sources: Many[SourceOfRule] = Field(min_length=1)
    note: Text | None


@dataclass(frozen=True)
class Origin:
    """Where a model comes from.

    Attributes:
        model: Its name.
        countries: Of who trained it last, then of who made what it was made from; empty where
            nobody states it.
        organisation: Who publishes it; None where nobody states it.
        said_by: `catalogue`, `recipe`, or None.
    """

    model: str
    countries: tuple[str, ...]
    organisation: str | None
    said_by: Literal["catalogue", "recipe"] | None


@cache
def load_policies() -> Mapping[str, Policy]:
    """Every policy by name, sorted; read once.

    Raises:
        RecipeError: A file is wrong; each problem with file, line and key.
    """
    return MappingProxyType(facts.read_folder(folder(), Policy))


def folder() -> Path:
    """Where the policies' files lie."""
    return shipped.root() / "configs" / "policies"


def find(name: str) -> Policy:
    """The policy called `name`.

    Raises:
        RecipeError: There is none; names the nearest.
    """
    known = load_policies()
    if name not in known:
        fix = _("use one of: {names}").format(names=", ".join(known))
        raise facts.unknown_name(name, known, _("no such policy"), fix)
    return known[name]


def refused(policy: Policy, origin: Origin) -> list[Conflict]:
    """Why a policy refuses a base model, in the language in force; empty where it does not."""
    title, reason = policy.title.text(language()), policy.reason.text(language())
    if not origin.countries and policy.unknown_origin == "refused":
        what = _("policy `{name}` ({title}) wants to know the origin, and that of {model} is not")
        fix = _("say under `base_origin` what it is (`same_as`), or its `country`")
        said = what.format(name=policy.name, title=title, model=origin.model)
        return [Conflict(UNKNOWN_ORIGIN, BASE, policy.name, policy.clause, said, fix)]
    what = _("policy `{name}` ({title}) excludes models from {country}, such as {model}: {reason}")
    fix = _("use a base of another origin, see `foundry model list`; or leave out `policy`")
    return [
        Conflict(
            EXCLUDED_ORIGIN,
            BASE,
            policy.name,
            policy.clause,
            what.format(
                name=policy.name, title=title, country=country, model=origin.model, reason=reason
            ),
            fix,
        )
        for country in origin.countries
        if country in policy.excluded_origins
    ]
