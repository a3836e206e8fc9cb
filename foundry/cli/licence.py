"""`foundry licence`: what a licence, or everything a recipe uses, lets, makes and forbids."""

from typing import Annotated

import typer

from foundry.cli.output import Json, print_json, verb_app
from foundry.core.language import gettext as _
from foundry.core.language import language
from foundry.core.load import load_recipe
from foundry.core.recipe import Recipe
from foundry.models import catalogue
from foundry.policy import licence
from foundry.policy.licence import Licence

app = verb_app(_("Say what licences allow, ask for and forbid."))

Name = Annotated[
    str,
    typer.Argument(metavar="NAME", help=_("A recipe, a base model, or a licence such as `gemma`.")),
]


@app.command(
    "licence",
    help=_("Say what licences allow, ask for and forbid.")
    + "\n\n"
    + _("Example: {command}").format(command="foundry licence gemma"),
)
def explain(name: Name, json: Json = False) -> None:
    """Print may, must and must not for each licence in use."""
    found = used_by(name)
    if json:
        print_json({"licences": [item.model_dump(mode="json") for item in found]})
        return
    for item in found:
        print(f"{item.title.text(language())} ({item.spdx or item.name})")
        print("  " + item.summary.text(language()))
        for line in licence.obligations([item.name]):
            print(f"  {line}")
        if item.url is not None:
            print("  " + _("full text: {url}").format(url=item.url))
        print()


def used_by(name: str) -> list[Licence]:
    """The licences meant by a licence's name, a base model's, or a recipe.

    Raises:
        ResourceError: There is none of the three.
    """
    if name.strip().lower() in {n for x in licence.load_licences().values() for n in x.names}:
        return [licence.find(name)]
    if (entry := catalogue.entry_of(name)) is not None:
        return [licence.find(entry.licence)]
    return _of_recipe(load_recipe(name).recipe)


def _of_recipe(recipe: Recipe) -> list[Licence]:
    base = catalogue.entry_of(recipe.base_model)
    names = [base.licence if base else "unknown", *(s.licence for s in recipe.data.sources)]
    return list({item.name: item for item in map(licence.find, names)}.values())
