"""`foundry licence NAME`: what is meant by a name, of a licence, a model, a package, a recipe."""

from pathlib import Path

from foundry.core import shipped
from foundry.core.errors import Problem, RecipeError, ResourceError
from foundry.core.language import gettext as _
from foundry.core.load import load_recipe
from foundry.core.near import nearest
from foundry.delivery import package_record
from foundry.models import asked, catalogue
from foundry.policy.licence import load_licences
from foundry.policy.verdict import Verdict


def verdict_of(name: str, question: asked.AdHoc) -> Verdict:
    """What the licences behind a name say.

    Args:
        name: A licence, a base model, a package's folder, or a recipe, in this order.
        question: Says what it is for; asks about nothing else.

    Raises:
        RecipeError: It asks about something else too; or the recipe is wrong.
        ResourceError: There is none of the four.
    """
    if not question.is_empty:
        what = _("a name and `--base` or `--data-licence` ask two questions")
        raise RecipeError(Problem(name, what, _("ask them one after the other")))
    known = asked.of_known(name, question.use)
    if known is not None:
        return known
    path = Path(name)
    if "\0" not in name and (path / package_record.NAME).is_file():
        return package_record.read(path).verdict()
    if not shipped.is_recipe(name):
        raise ResourceError(_unknown(name))
    return asked.of_recipe(load_recipe(name))


def _unknown(name: str) -> Problem:
    what = _("no licence, base model, package or recipe is called so")
    known = (*load_licences(), *catalogue.load_catalogue(), *shipped.recipe_names())
    near = nearest(name, known)
    fix = _("see `foundry model list` and `foundry recipe list`")
    return Problem(
        name.replace("\0", "?"), what, _("use `{name}`").format(name=near) if near else fix
    )
