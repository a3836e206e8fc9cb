"""`foundry plan`: what a recipe will do, take and cost, on this machine or another."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from foundry.cli.options import RUNS, Consent, Override, Runs, Terms, consent
from foundry.cli.output import (
    Json,
    Set,
    note,
    print_error,
    print_json,
    print_table,
    verb_app,
    with_example,
)
from foundry.core.errors import Problem, RecipeError
from foundry.core.language import gettext as _
from foundry.core.language import language

if TYPE_CHECKING:
    from foundry.core.load import LoadedRecipe
    from foundry.core.records import Plan
    from foundry.planning.cost import Rates
    from foundry.planning.hardware import Device

app = verb_app(_("Resolve a recipe and show what it will do and cost."))

Recipe = Annotated[
    str | None,
    typer.Argument(metavar="RECIPE", help=_("A file, or a name of `foundry recipe list`.")),
]
On = Annotated[
    str,
    typer.Option(
        "--on", metavar="DEVICE", help=_("A machine of configs/hardware, such as rtx-4090.")
    ),
]
Electricity = Annotated[
    float | None, typer.Option("--electricity", metavar="NT$", help=_("Price of a kWh."))
]
Rent = Annotated[
    float | None, typer.Option("--rent", metavar="NT$", help=_("Price of a rented hour."))
]
Calibrate = Annotated[
    bool, typer.Option("--calibrate", help=_("Learn from the runs made on this machine."))
]


@app.command(
    help=with_example(
        _("Print what a recipe takes and costs, and every value with its origin."),
        "plan retail/customer-service --accept-terms gemma --on rtx-4090",
    )
)
def plan(
    recipe: Recipe = None,
    set: Set = None,
    on: On = "this-machine",
    accept_terms: Terms = None,
    override: Override = None,
    electricity: Electricity = None,
    rent: Rent = None,
    calibrate: Calibrate = False,
    runs: Runs = RUNS,
    json: Json = False,
) -> int:
    """Plan and write nothing but a calibration."""
    from foundry.core.load import load_recipe
    from foundry.planning import cost, hardware

    if calibrate:
        _calibrate(runs, as_json=json and recipe is None)
    if recipe is None:
        if calibrate:
            return 0
        raise RecipeError(Problem("RECIPE", _("no recipe is named"), "foundry recipe list"))
    device = hardware.find(on)
    rates = cost.rates(device, hardware.load_prices(), electricity=electricity, rent=rent)
    terms = consent(accept_terms, override)
    return show(load_recipe(recipe, set or ()), device, rates, terms, as_json=json)


def show(
    loaded: "LoadedRecipe",
    device: "Device",
    rates: "Rates",
    terms: Consent,
    *,
    as_json: bool,
) -> int:
    """Print a recipe's plan for a device; the exit code is 3 where it does not fit."""
    from foundry.planning import fit, telling
    from foundry.planning.preview import preview
    from foundry.planning.shortfalls import sentence

    made = preview(loaded, device, rates, terms.accepted, terms.override)
    refused = None
    if not made.forecast.fits:
        refused = fit.too_large(made.forecast, made.edits, device.title.text(language()))
    if as_json:
        print_json(made.as_dict(loaded))
        return refused.exit_code if refused else 0
    if made.plan is not None:
        print_plan(made.plan)
    print_table(telling.head(), telling.rows(made.forecast, device))
    print(telling.verdict(made.forecast, device))
    for line in telling.notes(made.forecast, device):
        note(line)
    for short in made.shortfalls:
        note(sentence(short.as_dict(), loaded.recipe))
    if refused:
        print_error(refused, as_json=False)
    return refused.exit_code if refused else 0


def print_plan(plan: "Plan") -> None:
    """A table of value and origin."""
    rows = []
    for key, origin in plan.origins.items():
        value: object = plan.as_dict() if key.startswith("resolved.") else plan.values
        for part in key.split("."):
            value = value[int(part)] if isinstance(value, list) else value[part]  # type: ignore[index]
        rows.append([key, str(value), origin])
    for place, digest in plan.base.templates.items():
        # A stranger's code: whoever plans a run sees which (C75).
        rows.append([_("chat template"), f"sha256:{digest[:16]}", place])
    print_table([_("key"), _("value"), _("origin")], rows)


def _calibrate(runs: Path, *, as_json: bool) -> None:
    from foundry.planning.learning import learn

    learned = learn(runs)
    if as_json:
        print_json(learned.as_dict())
        return
    if learned.time_error is None:
        note(_("learned from one run: how far off the next will be is known from the second on"))
        return
    what = _("learned from {count} runs: time off by {time:.0%}, memory by {memory:.0%} (median)")
    off = {"time": learned.time_error, "memory": learned.memory_error}
    note(what.format(count=learned.calibration.runs, **off))
