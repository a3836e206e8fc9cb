"""Every licence that has a say in a recipe: of its base, of what that was made from, of its data.

Transitive: rows that a model wrote are bound by that model's terms, and by those of its own base.
"""

from collections.abc import Iterator
from pathlib import Path

from foundry.core.errors import Problem, RecipeError, ResourceError
from foundry.core.language import gettext as _
from foundry.core.recipe import Recipe
from foundry.core.use import BaseOrigin
from foundry.models import catalogue, names
from foundry.policy import licence as policy
from foundry.policy.use import Bound, Role, Use

HUB = "https://huggingface.co/"
BASE = "base_model"


def use_of(recipe: Recipe) -> Use:
    """What is to be done with a recipe's result."""
    return Use(
        purpose=recipe.purpose,
        commercial=recipe.use.commercial,
        distribution=recipe.use.distribution,
        model_name=recipe.name,
        monthly_users=recipe.use.monthly_users,
    )


def of_recipe(recipe: Recipe, folder: Path) -> list[Bound]:
    """The licences of base and data, the base's own first.

    Args:
        recipe: A checked recipe.
        folder: That of the recipe's file.

    Raises:
        RecipeError: A name that means no licence and no model; or `base_origin` speaks of weights
            that say themselves what they are.
    """
    found = list(of_base(recipe.base_model, recipe.base_origin, folder))
    for _key, source in recipe.data.learned:
        for licence in policy.named(source.licence):
            found.append(Bound(source.path, licence, "data", attribution=source.attribution))
        for model in source.generated_by:
            found += of_model(model, "generated-by", of=f"{source.path} ({model})")
    teacher = recipe.train.spec.model_dump().get("teacher")
    if isinstance(teacher, str):
        found += _of_teacher(teacher, folder)
    return found


def _of_teacher(teacher: str, folder: Path) -> Iterator[Bound]:
    """The licences of a model that is imitated; of weights in a folder nobody knows them."""
    of = f"train.teacher ({teacher})"
    if is_folder(teacher, folder):
        yield Bound(of, policy.find(policy.UNKNOWN), "generated-by")
    else:
        yield from of_model(teacher.partition("@")[0], "generated-by", of=of)


def of_base(base_model: str, origin: BaseOrigin, folder: Path) -> Iterator[Bound]:
    """The licences of a base model: its own, then those of what it was made from.

    Raises:
        RecipeError: See `of_recipe`.
    """
    entry = None if is_folder(base_model, folder) else catalogue.entry_of(base_model)
    given = origin.same_as or origin.terms
    if entry is not None and given is not None:
        what = _("`{name}` is in the catalogue, which says what it is").format(name=base_model)
        raise RecipeError(Problem("base_origin", what, _("remove `base_origin`")))
    if entry is not None:
        site = _site(entry)
        yield from of_model(entry.name, "base", of=BASE, site=origin.site or site)
        return
    on_hub = "/" in base_model and not is_folder(base_model, folder)
    site = origin.site or (HUB + base_model.partition("@")[0] if on_hub else None)
    if given is None:
        yield Bound(BASE, policy.find(policy.UNKNOWN), "base", site)
    else:
        yield from of_model(given, "base", of=BASE, site=site)


def of_model(name: str, role: Role, *, of: str, site: str | None = None) -> Iterator[Bound]:
    """The licences that come with a model: its own, then those of the models it was made from.

    Args:
        name: A name of the catalogue, a hub id, or that of a licence.
        role: What the model has to do with the result.
        of: What the licences are said to be of.
        site: Where its weights were got.

    Raises:
        RecipeError: The name means nothing.
    """
    entry = catalogue.entry_of(name)
    if entry is not None:
        yield Bound(of, policy.find(entry.licence), role, site)
        below: Role = "built-on" if role == "base" else role
        for licence in entry.base_licences:
            yield Bound(of, policy.find(licence), below)
    elif "/" in name:
        yield Bound(of, policy.find(policy.UNKNOWN), role, site)
    else:
        for found in policy.named(name):
            yield Bound(of, found, role, site)


def _site(entry: catalogue.Entry) -> str | None:
    return None if entry.hub_id is None else HUB + entry.hub_id


def is_folder(base_model: str, folder: Path) -> bool:
    try:
        return names.folder_of_base(base_model, folder) is not None
    except ResourceError:  # a path, and nothing is there yet
        return True
