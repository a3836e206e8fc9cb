"""`foundry train`: take a recipe through all stages to a proven package."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from foundry.cli.options import RUNS, Consent, Override, Recipe, Runs, Terms, consent
from foundry.cli.output import (
    Json,
    Set,
    Streams,
    note,
    print_json,
    print_table,
    refuse_documents,
    verb_app,
    with_example,
)
from foundry.cli.study import AtOnce, Parallel
from foundry.cli.sweep import Options, Out, Seeds, Sweep, refuse_beside, train_sweep
from foundry.core.events import Events
from foundry.core.language import gettext as _
from foundry.core.language import language, tag
from foundry.core.rundir import STAGES, stages_until

if TYPE_CHECKING:
    from foundry.core.load import LoadedRecipe

app = verb_app(_("Turn a recipe into a proven package."))


@app.command(
    help=with_example(
        _("Plan, prepare, train, prove, evaluate and package a recipe."),
        "train retail/customer-service --accept-terms gemma",
    )
)
def train(
    context: typer.Context,
    recipe: Recipe,
    set: Set = None,
    until: Annotated[str, typer.Option(metavar="STAGE", help=", ".join(STAGES))] = STAGES[-1],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help=_("Only plan; write nothing."))
    ] = False,
    accept_terms: Terms = None,
    override: Override = None,
    runs: Runs = RUNS,
    sweep: Sweep = None,
    seeds: Seeds = None,
    out: Out = None,
    parallel: Parallel = False,
    at_once: AtOnce = None,
    json: Json = False,
    events: Streams = False,
) -> int:
    """Run the stages; a stage whose inputs and files are unchanged is skipped."""
    from foundry.core.load import load_recipe

    terms = consent(accept_terms, override)
    refuse_beside(
        sweep,
        {"--seeds": seeds is not None, "--out": out is not None, "--parallel": parallel}
        | {"--at-once": at_once is not None},
        {"--events": events, "--until": until != STAGES[-1], "--runs": runs != RUNS}
        | {"--override": override is not None},
    )
    if sweep:
        how = (seeds, out, parallel, at_once, dry_run, json)
        train_sweep(sweep, Options(recipe, tuple(set or ()), terms.accepted, *how))
        return 0
    stages_until(until)  # refused before anything is read
    if events:
        refuse_documents({"--json": json, "--dry-run": dry_run})
    loaded = load_recipe(recipe, set or ())
    if dry_run:
        return _dry_run(loaded, terms, as_json=json)
    note_accepted(terms.accepted)
    way = _walk(loaded, runs, until, terms, context.obj)
    from foundry.cli.train_document import document

    made = document(way)
    if json:
        print_json(made)
    else:
        _print_summary(made)
    return 0


def _walk(loaded: "LoadedRecipe", runs: Path, until: str, terms: Consent, events: Events) -> Any:
    from foundry.cli.progress.shown import shown
    from foundry.pipeline import walk

    with shown() as listener, events.heard_by(listener):
        return walk(
            loaded,
            runs=runs,
            events=events,
            until=until,
            accepted_terms=terms.accepted,
            override=terms.override,
        )


def _dry_run(loaded: "LoadedRecipe", terms: Consent, *, as_json: bool) -> int:
    from foundry.cli.plan import show
    from foundry.planning import cost, hardware

    device = hardware.find(hardware.THIS_MACHINE)
    rates = cost.rates(device, hardware.load_prices())
    return show(loaded, device, rates, terms, as_json=as_json)


def note_accepted(names: tuple[str, ...]) -> None:
    """Print what the user accepts, so that it is seen (taiwan.md §1.1)."""
    from foundry.policy import licence

    for name in names:
        found = licence.find(name)
        title = found.title.text(language())
        note(_("accepted: {title} ({name})").format(title=title, name=found.name))
        for line in licence.obligations([found.name]):
            note(f"  {line}")


def _print_summary(made: dict[str, Any]) -> None:
    """Before and after, the gates, and where the package lies."""
    if "evaluation" in made:
        _print_scores(made["evaluation"])
    print(_("run: {path}").format(path=made["run"]))
    if "package" in made:
        print(_("package: {path}").format(path=made["package"]))


def _print_scores(evaluation: dict[str, Any]) -> None:
    scores = [s for s in evaluation["scores"]["scores"] if s["part"] is not None]
    shown = tag()
    if not scores:  # the report says why
        for sentence in evaluation["headlines"]:
            print(sentence[shown])
        return
    columns = list(dict.fromkeys(s["column"] for s in scores))
    rows = []
    for metric, part in dict.fromkeys((s["metric"], s["part"]) for s in scores):
        found = {s["column"]: s for s in scores if (s["metric"], s["part"]) == (metric, part)}
        rows.append([metric, part, *(_cell(found.get(column)) for column in columns)])
    print_table([_("metric"), _("part"), *columns], rows)
    for gate in evaluation["gates"]:
        print(gate["sentence"][shown])


def _cell(score: dict[str, Any] | None) -> str:
    if score is None or score["mean"] is None:
        return "-"
    return f"{score['mean']:.2f} [{score['low']:.2f}, {score['high']:.2f}] n={score['n']}"
