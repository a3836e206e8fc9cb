"""`foundry train --sweep`: one recipe with several values and seeds, which makes a study."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from foundry.cli.output import note
from foundry.core.errors import Problem, RecipeError
from foundry.core.language import gettext as _

Sweep = Annotated[
    list[str] | None,
    typer.Option(
        "--sweep",
        metavar="KEY=VALUE,VALUE",
        help=_("Train with each value, such as adapter.rank=8,16; of several keys with each pair."),
    ),
]
Seeds = Annotated[
    int | None,
    typer.Option("--seeds", min=1, help=_("Train each arm of a sweep with so many seeds.")),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", help=_("Folder of a sweep; absent, `sweep-NAME-` and eight digits.")),
]


@dataclass(frozen=True)
class Options:
    """What `foundry train` was given beside what is swept."""

    recipe: str
    overrides: tuple[str, ...]
    accepted: tuple[str, ...]
    seeds: int | None
    out: Path | None
    parallel: bool
    at_once: int | None
    dry_run: bool
    as_json: bool


def refuse_beside(
    sweep: list[str] | None, of_sweep: Mapping[str, bool], of_run: Mapping[str, bool]
) -> None:
    """Refuse options of a sweep without one, and those of a single run beside one.

    Args:
        sweep: The arguments of `--sweep`.
        of_sweep: Options that mean something for a sweep only, and whether each is given.
        of_run: The same for a single run.
    """
    if sweep:
        what, given = _("a sweep makes a study, with all its runs in one folder"), of_run
        fix = _("leave out `{option}`")
    else:
        what, given = _("it says how a sweep is trained"), of_sweep
        fix = _("add `--sweep adapter.rank=8,16`, or leave out `{option}`")
    problems = [
        Problem(option, what, fix.format(option=option)) for option, is_on in given.items() if is_on
    ]
    if problems:
        raise RecipeError(problems)


def train_sweep(sweep: list[str], options: Options) -> None:
    """Train every combination with every seed; what is done is not done again."""
    from foundry.cli.study import Beside, show_planned, train
    from foundry.cli.train import note_accepted
    from foundry.studies.sweep import Wanted, as_study

    wanted = Wanted(options.recipe, options.overrides, tuple(sweep), options.seeds or 1)
    loaded, folder = as_study(wanted, options.out)
    if options.dry_run:
        show_planned(loaded, as_json=options.as_json)
        return
    note_accepted(options.accepted)
    note(_("study: {path}").format(path=folder))
    beside = Beside(options.parallel, options.at_once)
    train(loaded, folder, options.accepted, beside, as_json=options.as_json)
