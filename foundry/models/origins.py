"""Where the models in a result come from: what the catalogue and the recipe say of it."""

from pathlib import Path

from foundry.core.errors import Problem, RecipeError
from foundry.core.language import gettext as _
from foundry.core.recipe import Recipe
from foundry.models import catalogue
from foundry.models.terms import is_folder
from foundry.policy.origins import Origin


def of_recipe(recipe: Recipe, folder: Path) -> Origin:
    """The origin of a recipe's base model; the name of a folder says nothing of what is in it.

    Args:
        recipe: A checked recipe.
        folder: That of the recipe's file.

    Raises:
        RecipeError: The recipe states the origin of a model that the catalogue knows.
    """
    base, said = recipe.base_model, recipe.base_origin
    is_here = is_folder(base, folder)
    if said.same_as is not None:
        return of_model(said.same_as)
    known = Origin(Path(base).name, (), None, None) if is_here else of_model(base)
    if said.country is None:
        return known
    if known.countries:
        what = _("`{name}` is in the catalogue, which says what it is").format(name=base)
        raise RecipeError(Problem("base_origin", what, _("remove `base_origin`")))
    return Origin(known.model, (said.country,), known.organisation, "recipe")


def of_model(name: str) -> Origin:
    """The origin of a model by its name in the catalogue or on the hub.

    The owner of a repository on the hub is who publishes it; of a model that is not in the
    catalogue nothing else is known.
    """
    entry = catalogue.entry_of(name)
    hub_id = name.partition("@")[0] if entry is None else entry.hub_id
    owner = hub_id.partition("/")[0] if hub_id is not None and "/" in hub_id else None
    if entry is None:
        return Origin(name, (), owner, None)
    countries = dict.fromkeys((entry.origin_country, *entry.base_countries))
    return Origin(entry.name, tuple(countries), owner, "catalogue")
