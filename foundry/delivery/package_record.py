"""`package.json`: what a package says of itself, for `verify`, `chat` and other programs."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from foundry.core.errors import Problem, ProofError
from foundry.core.fields import Closed, Many, Sha256
from foundry.core.language import gettext as _
from foundry.core.recipe import Text, Words
from foundry.policy.duties import Duty, duties
from foundry.policy.licence import find
from foundry.policy.use import Bound, Use
from foundry.policy.verdict import Verdict

NAME = "package.json"
SCHEMA_VERSION = 1
MAX_BYTES = 4 << 20  # ours has a few kB; a package may come from anyone

TokenId = Annotated[int, Field(ge=0)]


class Base(Closed):
    """The base model, named so that another machine can find it: never by a folder (C43)."""

    name: Words
    hub_id: Words | None
    revision: Words | None
    weights_sha256: Sha256
    licence: Words
    context: Annotated[int, Field(gt=0)]


class Chat(Closed):
    """How the model is spoken to.

    `context` says where facts for a question stand in its turn: before it, after it, or nowhere,
    as the training data had it. `artefact` is the file to load, None where none is runnable.
    """

    template: Words
    template_sha256: Sha256
    bos_token: str
    eos_token: str
    bos_id: TokenId | None
    stop_ids: Many[TokenId] = Field(min_length=1)
    stop_tokens: Many[str] = Field(min_length=1)
    system: str | None
    context: Literal["before", "after"] | None
    max_new_tokens: Annotated[int, Field(gt=0)]
    artefact: Words | None


class Artefact(Closed):
    """One export: `files` maps its files to their hashes."""

    kind: Words
    name: Words
    path: Words
    size_bytes: Annotated[int, Field(ge=0)]
    files: Mapping[str, Sha256]
    parity: Mapping[str, Any]


class Term(Closed):
    """A licence in play: of what, in which part, and what was said of it."""

    of: Words
    licence: Words
    role: Literal["base", "built-on", "data", "generated-by"]
    site: Words | None = None
    attribution: Words | None = None


class Purpose(Closed):
    """What the package was made for, as the licences ask."""

    purpose: Words
    commercial: bool | None
    distribution: Literal["internal", "same-terms", "proprietary"]
    monthly_users: int | None = None


class Overruled(Closed):
    """A conflict of licences that the maker went past."""

    rule: Words
    where: Words
    licence: Words
    clause: Words | None
    what: Words
    fix: Words


class Override(Closed):
    """Why a package was made although licences conflict."""

    reason: Words
    conflicts: Many[Overruled] = Field(min_length=1)


class PackageRecord(Closed):
    """The whole of `package.json`."""

    schema_version: Literal[1]
    name: Words
    version: Words
    title: Text
    created_by: Words
    base: Base
    licences: Many[Words] = Field(min_length=1)
    terms: Many[Term] = Field(min_length=1)
    use: Purpose
    accepted_terms: Many[Words]
    override: Override | None
    chat: Chat
    exports: Many[Artefact]

    def bound(self) -> list[Bound]:
        """Every licence in play.

        Raises:
            RecipeError: A licence that is not known here.
        """
        return [Bound(t.of, find(t.licence), t.role, t.site, t.attribution) for t in self.terms]

    def duties(self) -> list[Duty]:
        """What the package must hold for its licences, each by itself."""
        return duties(self.bound(), [export.path for export in self.exports])

    def verdict(self) -> Verdict:
        """What the licences say to what the package was made for."""
        use = Use(model_name=self.name, **self.use.model_dump())
        return Verdict.of(self.bound(), use, self.accepted_terms)


def read(package: Path) -> PackageRecord:
    """The record of a package's folder.

    Raises:
        ProofError: Missing, not JSON, or not of this form; names each key that is wrong.
    """
    path = package / NAME
    if path.is_symlink() or not path.is_file() or path.stat().st_size > MAX_BYTES:
        raise ProofError(Problem(NAME, _("missing, or not a file of the expected kind")))
    try:
        values = json.loads(path.read_bytes())
        return PackageRecord.model_validate(values)
    except ValidationError as error:
        problems = [
            Problem(f"{NAME}: {'.'.join(map(str, fault['loc']))}", fault["msg"])
            for fault in error.errors(include_url=False, include_context=False)
        ]
        raise ProofError(problems) from error
    except (ValueError, RecursionError) as error:
        raise ProofError(Problem(NAME, _("not JSON ({error})").format(error=error))) from error
