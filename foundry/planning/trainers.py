"""Which trainers read rows of a dataset type; types have TRL's names."""

from foundry.core import plugins
from foundry.core.errors import Problem
from foundry.core.language import gettext as _
from foundry.core.load import LoadedRecipe


def readers(found: str) -> list[str]:
    """The trainers that read rows of the type."""
    return [n for n in plugins.names("trainer") if found in plugins.load("trainer", n).ACCEPTS]


def not_read(loaded: LoadedRecipe, found: str) -> Problem | None:
    """What is wrong if the recipe's trainer does not read rows of the type; None if it does."""
    kind, key = loaded.recipe.train.kind, "train.kind"
    accepted = plugins.load("trainer", kind).ACCEPTS
    if found in accepted:
        return None
    what = _("{key}: `{kind}` reads {accepted} data; the rows are {found} data")
    fix = _("set it to {names}").format(names=", ".join(f"`{name}`" for name in readers(found)))
    return Problem(
        loaded.origins.get(key, loaded.path.name),
        what.format(key=key, kind=kind, accepted=", ".join(accepted), found=found),
        fix,
    )
