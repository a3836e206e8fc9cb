"""Whether a recipe's policy takes a base model from where it comes, before anything is read."""

from dataclasses import asdict
from typing import Any

from foundry.core.errors import LicenceError
from foundry.core.load import LoadedRecipe
from foundry.models import origins as known
from foundry.policy import origins as policy
from foundry.policy.conflicts import Conflict


def conflicts(loaded: LoadedRecipe) -> list[Conflict]:
    """Why the policy refuses the base model; empty where it does not, or there is none.

    Raises:
        RecipeError: There is no such policy; or an origin is stated that the catalogue knows.
    """
    origin = known.of_recipe(loaded.recipe, loaded.path.parent)
    name = loaded.recipe.policy
    return [] if name is None else policy.refused(policy.find(name), origin)


def check_origin(loaded: LoadedRecipe) -> None:
    """Refuse a base model that the recipe's policy excludes.

    Raises:
        LicenceError: Says which origin, which policy, and what it rests on.
        RecipeError: See `conflicts`.
    """
    found = conflicts(loaded)
    if found:
        raise LicenceError([conflict.problem() for conflict in found])


def told(loaded: LoadedRecipe) -> dict[str, Any]:
    """The policy, the base model's origin, and those of models that wrote data, as a plan has them.

    The policy stands there with all its facts, since what is in `configs/` changes later.
    """
    recipe = loaded.recipe
    origin = known.of_recipe(recipe, loaded.path.parent)
    asked = None if recipe.policy is None else policy.find(recipe.policy)
    wrote = dict.fromkeys(model for _key, s in recipe.data.learned for model in s.generated_by)
    return {
        "policy": None if asked is None else asked.model_dump(mode="json", by_alias=True),
        "base": asdict(origin),
        "wrote": [asdict(known.of_model(model)) for model in wrote],
    }
