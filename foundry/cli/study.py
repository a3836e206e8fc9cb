"""`foundry study`: train the arms of a study with their seeds, and show how far it has come."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from foundry.cli.options import Terms, consent
from foundry.cli.output import Json, note, print_json, print_table, verb_app, with_example
from foundry.core import shipped
from foundry.core.errors import Problem, RecipeError
from foundry.core.language import gettext as _

if TYPE_CHECKING:
    from foundry.core.study import LoadedStudy
    from foundry.studies.crew import Place

app = verb_app(_("Train the arms of a study, and show how far it has come."))

NAMES = ", ".join(shipped.study_names())
Parallel = Annotated[
    bool,
    typer.Option(
        "--parallel", help=_("Train one run on each GPU at once; without a GPU one at a time.")
    ),
]

AtOnce = Annotated[
    int | None,
    typer.Option(
        "--at-once",
        min=1,
        metavar="N",
        help=_("Train N runs at once on the processor, each on its share of the cores."),
    ),
]


@dataclass(frozen=True)
class Beside:
    """How many runs are trained beside each other: `--parallel` and `--at-once`."""

    parallel: bool
    at_once: int | None

    def places(self) -> "tuple[Place, ...]":
        """Where they are trained.

        Raises:
            RecipeError: Both are given, or the machine has no such places.
        """
        from foundry.studies.crew import ALONE, gpus, shares

        if self.parallel and self.at_once is not None:
            what = _("`--parallel` says how many runs are trained at once")
            raise RecipeError(Problem("--at-once", what, _("leave out one of the two")))
        if self.at_once is not None:
            return shares(self.at_once)
        return gpus() if self.parallel else (ALONE,)


@app.command(
    help=with_example(
        _("Train every arm with every seed on one budget; goes on where it stopped."),
        "study run adapters-shop --accept-terms gemma",
    )
)
def run(
    study: Annotated[
        str,
        typer.Argument(
            metavar="STUDY", help=_("A file, or a shipped study: {names}.").format(names=NAMES)
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help=_("Folder of the study; `study-NAME` where absent."))
    ] = None,
    accept_terms: Terms = None,
    parallel: Parallel = False,
    at_once: AtOnce = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help=_("Only say what would be trained; write nothing.")),
    ] = False,
    json: Json = False,
) -> None:
    """Run what is not run yet."""
    from foundry.core.study import load_study

    loaded = load_study(study)
    if dry_run:
        show_planned(loaded, as_json=json)
        return
    from foundry.cli.train import note_accepted

    accepted = consent(accept_terms).accepted
    note_accepted(accepted)
    folder = out or Path(f"study-{loaded.study.name}")
    train(loaded, folder, accepted, Beside(parallel, at_once), as_json=json)


@app.command(
    help=with_example(_("Show how far a study has come."), "study show study-adapters-shop")
)
def show(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help=_("Folder of the study."))],
    json: Json = False,
) -> None:
    """Print a line for each arm and seed."""
    _show(_found(folder), as_json=json)


def train(
    loaded: "LoadedStudy",
    folder: Path,
    accepted: tuple[str, ...],
    beside: "Beside",
    *,
    as_json: bool,
) -> None:
    """Train what is not trained yet, and show how far it has come."""
    from foundry.studies.crew import Crew
    from foundry.studies.run import run_study

    crew = Crew(note, beside.places())
    run_study(loaded, folder, accepted_terms=accepted, crew=crew)
    _show(_found(folder), as_json=as_json)
    if not as_json:
        print(_("compare it with `foundry compare --study {path}`").format(path=folder))


def show_planned(loaded: "LoadedStudy", *, as_json: bool) -> None:
    """Say what would be trained."""
    _show(_planned(loaded), as_json=as_json)


def _planned(loaded: "LoadedStudy") -> dict[str, Any]:
    """What would be trained; every arm's recipe is checked."""
    from foundry.studies.run import check_recipes, planned

    check_recipes(loaded)
    runs = [
        {"arm": arm.name, "seed": seed, "run": None, "set": list(loaded.overrides(arm, seed))}
        for arm, seed in planned(loaded)
    ]
    study = loaded.study
    amount = {study.budget.kind: study.budget.amount} if study.budget else None
    return {"study": study.name, "path": None, "budget": amount, "runs": runs}


def _found(folder: Path) -> dict[str, Any]:
    from foundry.core.study import read_outline

    outline = read_outline(folder)
    runs = [
        {"arm": arm, "seed": seed, "run": name, "state": _state(folder, name)}
        for arm, named in outline.runs.items()
        for seed, name in named.items()
    ]
    settled = outline.settled
    return {
        "study": outline.name,
        "path": str(folder),
        "budget": None if outline.budget is None else {outline.budget: settled},
        "runs": runs,
    }


def _state(folder: Path, name: str | None) -> dict[str, Any] | None:
    from foundry.core.rundir import RunDir
    from foundry.store.run_state import state
    from foundry.store.runs import Run

    return None if name is None else state(Run(RunDir(folder / "runs" / name))).as_dict()


def _show(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    from foundry.cli.rows import visible

    rows = [
        [visible(one["arm"]), str(one["seed"]), visible(one["run"] or "-"), visible(_last(one))]
        for one in found["runs"]
    ]
    last = "--set" if "set" in found["runs"][0] else _("state")
    print_table([_("arm"), _("seed"), _("run"), last], rows)


def _last(one: dict[str, Any]) -> str:
    from foundry.cli.run_text import state_text

    if "set" in one:
        return " ".join(one["set"])
    return "-" if one["state"] is None else state_text(one["state"])
