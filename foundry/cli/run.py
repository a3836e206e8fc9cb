"""`foundry run`: list, show and compare runs, clean up after them, and add up what they cost."""

from typing import Annotated, Any

import typer

from foundry.cli.options import RUNS, Runs
from foundry.cli.output import Json, note, print_json, print_table, verb_app, with_example
from foundry.cli.run_text import amount, print_diff, print_run, row
from foundry.core.language import gettext as _
from foundry.core.sizes import readable
from foundry.store import ledger as ledgers
from foundry.store import run_clean, run_diff, run_show
from foundry.store.run_list import overviews
from foundry.store.runs import find, named

app = verb_app(_("List, show, compare and clean up runs; add up their cost."))

# The columns of the ledger, each with its digits behind the point.
PLACES = {"steps": 0, "tokens": 0, "seconds": 1, "flops": 3, "pflop_days": 6, "kwh": 4, "twd": 2}


Name = Annotated[
    str,
    typer.Argument(
        metavar="RUN", help=_("Its folder, or the beginning of its name or fingerprint.")
    ),
]


@app.command("list", help=with_example(_("List the runs, the newest first."), "run list"))
def list_runs(runs: Runs = RUNS, json: Json = False) -> None:
    """Print a line for each run of the folder."""
    found = overviews(runs)
    if json:
        print_json({"runs": [one.as_dict() for one in found]})
        return
    head = [_("run"), _("base model"), _("adapter"), _("trainer"), _("steps"), _("state")]
    head += [_("loss"), _("seconds"), _("size"), _("last work (UTC)")]
    print_table(head, [row(one) for one in found])
    if not found:
        note(_("there are no runs in {folder}").format(folder=runs))


@app.command(
    "show", help=with_example(_("Show all that is known of one run."), "run show tiny-1a2b")
)
def show(run: Name, runs: Runs = RUNS, json: Json = False) -> None:
    """Print choices with their origins, stages, curve, proofs and files."""
    document = run_show.document(named(runs, run))
    if json:
        print_json(document)
    else:
        print_run(document)


@app.command(
    "diff", help=with_example(_("Show in what two runs differ."), "run diff tiny-1a2b tiny-9f8e")
)
def diff(
    a: Annotated[str, typer.Argument(metavar="A", help=_("One run."))],
    b: Annotated[str, typer.Argument(metavar="B", help=_("The other one."))],
    runs: Runs = RUNS,
    json: Json = False,
) -> None:
    """Print recipe, base, data, choices, environment and results that are not the same."""
    document = run_diff.document(named(runs, a), named(runs, b))
    if json:
        print_json(document)
    else:
        print_diff(document)


@app.command(
    "clean", help=with_example(_("Show what no run needs any more, or remove it."), "run clean")
)
def clean(
    run: Annotated[
        list[str] | None, typer.Argument(metavar="RUN", help=_("Only these; else every run."))
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help=_("Remove it."))] = False,
    runs: Runs = RUNS,
    json: Json = False,
) -> None:
    """Free checkpoints of finished trainings, working folders and half-written files."""
    chosen = [named(runs, name) for name in run] if run else find(runs)
    cleaning = run_clean.clean(chosen, remove=yes)
    if json:
        print_json({**cleaning.as_dict(), "size_bytes": cleaning.size_bytes, "removed": yes})
        return
    why = {
        "checkpoints": _("checkpoint of a finished training"),
        "work": _("working folder of a stage that broke off"),
        "half-written": _("half-written file"),
    }
    for one in cleaning.waste:
        print(f"{one.run}/{one.path}: {why[one.why]} ({readable(one.size_bytes)})")
    for name in cleaning.locked:
        print(_("{run}: left alone, a process works in it").format(run=name))
    told = _("{size} freed") if yes else _("{size} can be freed; `--yes` removes the above")
    print(told.format(size=f"{readable(cleaning.size_bytes)} ({cleaning.size_bytes})"))


@app.command(
    "ledger", help=with_example(_("Add up what the trainings took and cost."), "run ledger")
)
def ledger(runs: Runs = RUNS, json: Json = False) -> None:
    """Print FLOPs, energy and NT$ of each run, interrupted and failed work with it, and of all."""
    document = ledgers.document(runs)
    if json:
        print_json(document)
        return
    head = [_("run"), _("trainings"), _("steps"), _("tokens"), _("seconds")]
    head += ["PFLOP", _("PFLOP-days"), "kWh", "NT$"]
    rows = [*document["runs"], {**document["total"], "run": _("all")}]
    print_table(head, [[one["run"], *_amounts(one)] for one in rows])
    if document["total"]["unknown"]:
        print(_("≥: a part of it is not known and not in the sum; -: nothing is known"))


def _amounts(one: dict[str, Any]) -> list[str]:
    return [str(one["sessions"]), *(amount(one, name, places) for name, places in PLACES.items())]
