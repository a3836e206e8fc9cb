"""`foundry plan`: resolve a recipe and print every value with its origin."""

from pathlib import Path
from typing import TYPE_CHECKING

from foundry.cli.output import Json, Set, print_json, print_table, verb_app
from foundry.core.language import gettext as _

if TYPE_CHECKING:
    from foundry.core.records import Plan

from foundry.cli.train import Recipe, Runs, Terms

app = verb_app(_("Resolve a recipe and show what it will do."))


@app.command(
    help=_("Print every value of a recipe with its origin.")
    + "\n\n"
    + _("Example: {command}").format(
        command="foundry plan retail/customer-service --accept-terms gemma"
    )
)
def plan(
    recipe: Recipe,
    set: Set = None,
    accept_terms: Terms = None,
    runs: Runs = Path("runs"),
    json: Json = False,
) -> None:
    """Plan and write nothing."""
    from foundry.core.load import load_recipe
    from foundry.planning.plan import make_plan

    accepted = tuple(name.lower() for name in accept_terms or ())
    made = make_plan(load_recipe(recipe, set or ()), accepted_terms=accepted, runs=runs)
    print_plan(made, as_json=json)


def print_plan(plan: "Plan", *, as_json: bool) -> None:
    """The plan as a document, or as a table of value and origin."""
    if as_json:
        print_json({"run": plan.run_name, **plan.as_dict()})
        return
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
