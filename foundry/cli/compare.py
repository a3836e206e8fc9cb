"""`foundry compare`: finished runs beside each other: quality, memory, size, seconds, verdicts."""

from pathlib import Path
from typing import Annotated, Any

import typer

from foundry.cli.options import RUNS, Runs
from foundry.cli.output import Json, print_json, verb_app, with_example
from foundry.core.errors import Problem, RecipeError
from foundry.core.language import gettext as _

app = verb_app(_("Compare finished runs: quality, memory, size and seconds, with verdicts."))

BUDGETS = ("tokens", "steps", "seconds", "trainable-parameters")
COLUMNS = ("tuned", "delivered")


Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="RUN...", help=_("Their folders, or the beginnings of their names.")),
]
Study = Annotated[
    Path | None, typer.Option("--study", help=_("The folder of a study, in place of runs."))
]
Unequal = Annotated[
    bool,
    typer.Option(
        "--allow-unequal", help=_("Compare though data order or budget differ, and say so.")
    ),
]
Budget = Annotated[
    str | None,
    typer.Option(help=_("What must be equal: {names}.").format(names=", ".join(BUDGETS))),
]
Column = Annotated[
    str, typer.Option(help=_("Whose answers: {names}.").format(names=", ".join(COLUMNS)))
]
Metric = Annotated[
    str | None, typer.Option(help=_("The quality that is weighed against the cost."))
]
Out = Annotated[
    Path | None, typer.Option(help=_("Write a page, JSON and CSV tables into this folder."))
]


@app.command(
    help=with_example(
        _("Compare finished runs; those that differ in the seed only are one arm."),
        "compare tiny-1a2b tiny-9f8e",
    )
)
def compare(
    run: Names = None,
    study: Study = None,
    allow_unequal: Unequal = False,
    budget: Budget = None,
    column: Column = COLUMNS[0],
    metric: Metric = None,
    out: Out = None,
    runs: Runs = RUNS,
    json: Json = False,
) -> None:
    """Print the comparison, and write it where that is asked for."""
    asked = {"budget": budget, "column": column, "metric": metric, "allow_unequal": allow_unequal}
    _check(asked, run or [], study)
    document = _compared(run or [], study, runs, asked)
    if out is not None:
        from foundry.evals.arms.tables import write

        write(document, out)
    if json:
        print_json(document)
        return
    from foundry.cli.compare_text import print_comparison

    print_comparison(document)


def _check(asked: dict[str, Any], names: list[str], study: Path | None) -> None:
    """Refuse options that mean nothing."""
    problems = []
    for option, known in (("budget", BUDGETS), ("column", COLUMNS)):
        if asked[option] not in (None, *known):
            what = _("must be one of {names}; got {found}")
            what = what.format(names=", ".join(known), found=asked[option])
            problems.append(Problem(f"--{option}", what, f"--{option} {known[0]}"))
    if bool(names) == (study is not None):
        fix = _("`foundry compare RUN RUN`, or `foundry compare --study DIR`")
        problems.append(Problem("compare", _("name either runs or a study"), fix))
    if problems:
        raise RecipeError(problems)


def _compared(
    names: list[str], study: Path | None, runs: Path, asked: dict[str, Any]
) -> dict[str, Any]:
    from foundry.evals.arms.contest import Question, compare_runs, compare_study

    question = Question(**asked)
    if study is not None:
        return compare_study(study, question)
    from foundry.store.runs import named

    return compare_runs([named(runs, name) for name in names], question)
