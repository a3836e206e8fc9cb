"""Models that stand beside the tuned one in the report: found before anything is trained."""

from foundry.core.errors import Problem, RecipeError
from foundry.core.language import gettext as _
from foundry.core.load import LoadedRecipe
from foundry.core.records import BaseModel
from foundry.encode.tokenize import open_encoder
from foundry.models.fetch import locate
from foundry.train.gives import gives_reward

WHERE = "evaluation.references"


def check_references(loaded: LoadedRecipe) -> None:
    """Refuse models beside one that answers nothing.

    Raises:
        RecipeError: A reward model is trained.
    """
    if loaded.recipe.evaluation.references and gives_reward(loaded.recipe.train.kind):
        what = _("a reward model answers nothing, so that no other model can stand beside it")
        raise RecipeError(Problem(WHERE, what, _("remove it")))


def references_of(loaded: LoadedRecipe) -> tuple[BaseModel, ...]:
    """The models that a recipe lists, in its order, each once.

    Raises:
        ResourceError: One is not on this machine, or has no chat template to be asked in.
        RecipeError: See `check_references`.
    """
    check_references(loaded)
    names = tuple(dict.fromkeys(loaded.recipe.evaluation.references))
    found = tuple(locate(name, loaded.path.parent) for name in names)
    for base in found:
        open_encoder(base)
    return found
