"""The five questions of `foundry recipe new`, and what can be an answer to each."""

from collections.abc import Mapping
from pathlib import Path
from typing import get_args

from foundry.cli.questions import Question
from foundry.core.errors import Problem, RecipeError
from foundry.core.language import gettext as _
from foundry.core.near import nearest
from foundry.core.recipe import GENERAL, Declaration

DEFAULT_BASE = "gemma-3-270m"
OWN_DATA, OWN_WORK, PUBLIC = "own-data", "own-work", "public-licence"
BASES = get_args(Declaration.model_fields["basis"].annotation)


def questions() -> list[Question]:
    """In the order in which each may help to answer the next, in the language in force."""
    base = _("Which base model? {base} comes with the program; `foundry model list` has others.")
    licence = _(
        "What is the licence of the data? `own-data` where they are your own; else for example "
        "CC-BY-4.0, OGDL-1.0 or Apache-2.0."
    )
    basis = _("Why may the data be used? Give the number or the word.")
    by = _("Who declares that? A person or an organisation.")
    purpose = _("What is the model for, in a word? For example `customer-service`.")
    return [
        Question("base", base.format(base=DEFAULT_BASE), _read_base, lambda found: DEFAULT_BASE),
        Question("licence", licence, _read_licence, lambda found: OWN_DATA, is_needed=True),
        Question("basis", "\n".join([basis, *_bases()]), _read_basis, _basis_of, is_needed=True),
        Question("by", by, _read_words, lambda found: None, is_needed=True),
        Question("purpose", purpose, _read_words, lambda found: GENERAL),
    ]


def _bases() -> list[str]:
    """What each basis means, numbered."""
    meanings = {
        "own-work": _("you or your organisation wrote them"),
        "contract": _("a contract allows it"),
        "consent": _("the people they are about have agreed"),
        "public-licence": _("they are published under a licence that allows it"),
        "legal-duty": _("the law asks for it"),
    }
    return [f"  {number}  {name}: {meanings[name]}" for number, name in enumerate(BASES, start=1)]


def _basis_of(found: Mapping[str, str]) -> str:
    """The likely basis of a licence."""
    return OWN_WORK if found["licence"] == OWN_DATA else PUBLIC


def _read_base(text: str) -> str:
    from foundry.models.at_hand import at_hand

    at_hand(text, Path())
    return text


def _read_licence(text: str) -> str:
    from foundry.policy import licence

    found = licence.find(text)
    return found.spdx or found.name


def _read_basis(text: str) -> str:
    if text.isdecimal() and 1 <= int(text) <= len(BASES):
        return str(BASES[int(text) - 1])
    if text in BASES:
        return text
    what = _("no such basis; there are: {known}").format(known=", ".join(BASES))
    near = nearest(text, BASES)
    fix = _("use `{name}`").format(name=near) if near else _("choose one of the names listed")
    raise RecipeError(Problem(text, what, fix))


def _read_words(text: str) -> str:
    if text.strip():
        return text.strip()
    raise RecipeError(Problem("", _("an answer is needed"), _("write a word or two")))
