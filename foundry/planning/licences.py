"""Whether the licences of a recipe let it be made, before anything is read or trained."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from foundry.core.errors import LicenceError, Problem, RecipeError
from foundry.core.language import gettext as _
from foundry.core.load import LoadedRecipe
from foundry.core.records import BaseModel, Plan
from foundry.models import terms
from foundry.planning import origins
from foundry.policy import licence as policy
from foundry.policy.conflicts import conflicts, not_accepted
from foundry.policy.use import Bound, binding
from foundry.store import acceptance


@dataclass(frozen=True)
class Cleared:
    """What the licences came to.

    Attributes:
        base: Name of the base model's own licence.
        licences: Each licence in play as plain values, with what was said of it.
        accepted: Names of the licences whose conditions were accepted, now or before.
        override: Why it goes on although licences conflict, and the conflicts; None: none do.
    """

    base: str
    licences: tuple[Mapping[str, Any], ...]
    accepted: tuple[str, ...]
    override: Mapping[str, Any] | None


def clear(
    loaded: LoadedRecipe, base: BaseModel, accepted: Collection[str], override: str | None = None
) -> Cleared:
    """Refuse a recipe whose licences forbid it or whose terms were not accepted.

    Args:
        loaded: A checked recipe.
        base: Its base model; terms accepted for it before need not be accepted again.
        accepted: Names of licences whose conditions the user accepts now.
        override: Why to go on although licences conflict; None refuses.

    Raises:
        LicenceError: Every conflict with its clause, every licence that was not accepted, and
            every source declared for another purpose.
        RecipeError: A name that means no licence and no model.
    """
    recipe = loaded.recipe
    bound = terms.of_recipe(recipe, loaded.path.parent)
    now = {policy.find(name).name for name in accepted}
    taken = now | acceptance.remembered(base, [b.licence for b in binding(bound)], texts(loaded))
    found = [*conflicts(bound, terms.use_of(recipe), taken), *origins.conflicts(loaded)]
    problems = not_accepted(bound, taken)
    problems += [
        _other_purpose(loaded, f"{key}.declaration.purpose", source.declaration.purpose)
        for key, source in recipe.data.learned
        if source.declaration.purpose != recipe.purpose
    ]
    if override is None:
        problems += [conflict.problem() for conflict in found]
    if problems:
        raise LicenceError(list(dict.fromkeys(problems)))
    declared = {s.path: s.declaration.model_dump(mode="json") for _key, s in recipe.data.learned}
    overridden = {"reason": override, "conflicts": [asdict(conflict) for conflict in found]}
    return Cleared(
        base=bound[0].licence.name,
        licences=tuple(_told(one, declared) for one in binding(bound)),
        accepted=tuple(sorted(taken)),
        override=overridden if override is not None and found else None,
    )


def remember(loaded: LoadedRecipe, plan: Plan) -> None:
    """Keep that the terms of a plan's licences were accepted, for whoever runs this."""
    licences = [policy.find(x["licence"]) for x in plan.licences]
    taken = [x for x in licences if x.needs_acceptance and x.name in plan.accepted_terms]
    acceptance.remember(plan.base, taken, texts(loaded))


def texts(loaded: LoadedRecipe) -> dict[str, Path]:
    """Name of a licence -> the file with its text that the recipe names.

    Raises:
        RecipeError: It names no licence, or a file that is not there.
    """
    found, problems = dict[str, Path](), list[Problem]()
    for name, path in loaded.recipe.package.licence_texts.items():
        file = loaded.path.parent / path
        if not file.is_file():
            key = f"package.licence_texts.{name}"
            where = loaded.origins.get(key, key)
            fix = _("check the path in the recipe")
            problems.append(
                Problem(where, _("there is no such file: {path}").format(path=path), fix)
            )
        found[policy.find(name).name] = file
    if problems:
        raise RecipeError(problems)
    return found


def check_texts(loaded: LoadedRecipe, plan: Plan) -> None:
    """Refuse, before hours of training, a package that would lack the text of a licence.

    Raises:
        LicenceError: Names each licence whose text neither we nor the recipe hold.
    """
    if not loaded.recipe.exports:
        return
    held = texts(loaded)
    names = dict.fromkeys(x["licence"] for x in plan.licences)
    lacking = [x for x in map(policy.find, names) if x.lacks_text and x.name not in held]
    what = _("{title} asks for a copy of its text, which does not come with the program")
    fix = _("get it from {url} and write `package: {{licence_texts: {{{name}: FILE}}}}`")
    problems = [
        Problem(
            x.name,
            what.format(title=x.title.en),
            fix.format(url=x.url or x.licensor, name=x.name),
        )
        for x in lacking
    ]
    if problems:
        raise LicenceError(problems)


def _told(one: Bound, declared: Mapping[str, Any]) -> Mapping[str, Any]:
    told: dict[str, Any] = {"of": one.of, "licence": one.licence.name, "role": one.role}
    told |= {"site": one.site, "attribution": one.attribution}
    return told | ({"declaration": declared[one.of]} if one.of in declared else {})


def _other_purpose(loaded: LoadedRecipe, key: str, declared: str | None) -> Problem:
    what = _("{key}: declared for `{declared}`, but the recipe is for `{purpose}`")
    return Problem(
        loaded.origins[key],
        what.format(key=key, declared=declared, purpose=loaded.recipe.purpose),
        _("use data declared for this purpose, or correct the declaration"),
    )
