"""`foundry recipe`: list, show, check and fill in recipes, and print their JSON Schema."""

from typing import Any

import typer

from foundry.cli.new_recipe import new
from foundry.cli.options import Recipe
from foundry.cli.output import Json, Set, print_json, print_table, verb_app, with_example
from foundry.cli.rows import print_files
from foundry.core import shipped
from foundry.core.errors import DataError, FoundryError
from foundry.core.fill import fill
from foundry.core.language import gettext as _
from foundry.core.language import language
from foundry.core.load import LoadedRecipe, load_recipe
from foundry.core.schema import schema

app = verb_app(_("List, show, check and fill in recipes."))


@app.command(
    "list", help=with_example(_("List the recipes that come with the program."), "recipe list")
)
def list_recipes(json: Json = False) -> None:
    """Print name, title, base model and purpose of each shipped recipe."""
    rows = [_row(name, load_recipe(name)) for name in shipped.recipe_names()]
    if json:
        print_json({"recipes": rows})
        return
    head = [_("name"), _("title"), _("base model"), _("purpose")]
    print_table(head, [list(row.values()) for row in rows])


@app.command(
    "show",
    help=with_example(_("Print a recipe as written."), "recipe show retail/customer-service"),
)
def show(recipe: Recipe, json: Json = False) -> None:
    """Print the recipe file; with `--json`, every value in force."""
    loaded = load_recipe(recipe)
    if json:
        print_json({"path": shipped.label(loaded.path), "recipe": loaded.values})
    else:
        print(loaded.source_text, end="")


@app.command(
    "check",
    help=with_example(
        _("Check a recipe and print every mistake."), "recipe check retail/customer-service"
    ),
)
def check(recipe: Recipe, set: Set = None, json: Json = False) -> None:
    """Load the recipe and render the first rows of its data.

    A mistake of the recipe ends with exit code 2, a lack with 3, a fault of the rows with 1.
    """
    from foundry.data.places import require_inputs
    from foundry.planning.origins import check_origin

    shown: dict[str, Any] = {}
    try:
        loaded = load_recipe(recipe, set or ())
        check_origin(loaded)
        require_inputs(loaded)
        shown = {"path": shipped.label(loaded.path), "name": loaded.recipe.name}
        shown |= _dry_rendered(loaded, as_json=json)
        if shown["problems"]:
            raise DataError(shown["problems"])
    except FoundryError as error:
        if not json:
            raise
        print_json({"ok": False, **shown, **error.as_dict()})
        raise typer.Exit(error.exit_code) from error
    if json:
        print_json({"ok": True, **shown})
    else:
        print(_("{path}: no mistakes").format(path=shown["path"]))


def _dry_rendered(loaded: LoadedRecipe, *, as_json: bool) -> dict[str, Any]:
    """The first rows of each file as the model would see them; printed where a person looks."""
    from foundry.planning.dry_render import dry_render

    found = dry_render(loaded)
    if not as_json:
        print_files(found)
    return {**found.as_dict(), "problems": found.problems}


@app.command(
    "fill",
    help=with_example(
        _("Print a recipe with every default."), "recipe fill retail/customer-service"
    ),
)
def fill_in(recipe: Recipe, set: Set = None, json: Json = False) -> None:
    """Print each value with where it came from."""
    loaded = load_recipe(recipe, set or ())
    if json:
        print_json({"recipe": loaded.values, "origins": loaded.origins})
    else:
        print(fill(loaded), end="")


app.command(
    "new",
    help=with_example(
        _("Write the shortest recipe for a data file."),
        "recipe new faq.csv --licence own-data --basis own-work --by 小店",
    ),
)(new)


@app.command(
    "schema",
    help=with_example(_("Print the JSON Schema of a recipe."), "recipe schema > recipe.json"),
)
def print_schema(json: Json = False) -> None:
    """Print the schema, which is JSON with or without `--json`."""
    print_json(schema())


def _row(name: str, loaded: LoadedRecipe) -> dict[str, str]:
    recipe = loaded.recipe
    title = recipe.title.text(language())
    return {
        "name": name,
        "title": title,
        "base_model": recipe.base_model,
        "purpose": recipe.purpose,
    }
