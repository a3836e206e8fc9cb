"""Arguments and options that several verbs take, each with its one help text."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from foundry.core.errors import Problem, RecipeError
from foundry.core.language import gettext as _

RUNS = Path("runs")

Recipe = Annotated[
    str, typer.Argument(metavar="RECIPE", help=_("A file, or a name of `foundry recipe list`."))
]
Package = Annotated[
    str, typer.Argument(metavar="PACKAGE", help=_("A package, a run, or the name of a recipe."))
]
Runs = Annotated[Path, typer.Option("--runs", help=_("Folder of the run directories."))]
Terms = Annotated[
    list[str] | None,
    typer.Option(
        "--accept-terms", metavar="LICENCE", help=_("Accept a licence's conditions, e.g. gemma.")
    ),
]
Override = Annotated[
    str | None,
    typer.Option(
        "--override",
        metavar="REASON",
        help=_(
            "Go on although a licence or policy forbids it; the reason is kept, and on the card."
        ),
    ),
]


@dataclass(frozen=True)
class Consent:
    """What the command line says of licences: those accepted, and why to overrule conflicts."""

    accepted: tuple[str, ...]
    override: str | None


def consent(accept_terms: list[str] | None, override: str | None = None) -> Consent:
    """Read `--accept-terms` and `--override`.

    Raises:
        RecipeError: The reason is empty.
    """
    if override is not None and not override.strip():
        what, fix = _("a reason must be given"), '--override "…"'
        raise RecipeError(Problem("--override", what, fix))
    return Consent(tuple(name.lower() for name in accept_terms or ()), override)
