"""What a recipe for a reward model may not ask for: it says a number, and no word."""

from collections.abc import Iterator

from foundry.core import plugins
from foundry.core.errors import Problem, RecipeError
from foundry.core.language import gettext as _
from foundry.core.load import LoadedRecipe
from foundry.core.records import BaseModel
from foundry.train.gives import REWARD, gives_reward


def check_rewards(loaded: LoadedRecipe, base: BaseModel | None) -> None:
    """Refuse, before anything is trained, what is not for a reward model, or only for one.

    Of a base that is not on this machine, None, its class is not looked at.

    Raises:
        RecipeError: The base has no class with a reward head; an export that cannot hold the head;
            an evaluator that reads answers, or, of another trainer, one that reads rewards.
    """
    kind = loaded.recipe.train.kind
    problems = list(_evaluators(loaded, kind))
    if gives_reward(kind):
        found = None if base is None else plugins.load("trainer", kind).misfit(base)
        if found is not None:
            problems.append(_at(loaded, "base_model", found.what, found.fix))
        problems += _exports(loaded)
    if problems:
        raise RecipeError(problems)


def _exports(loaded: LoadedRecipe) -> Iterator[Problem]:
    able = [n for n in plugins.names("exporter") if judges(n)]
    what = _("{key}: `{kind}` is for models that write; a reward model's head has no place in it")
    fix = _("set it to {names}").format(names=", ".join(f"`{name}`" for name in able))
    for number, block in enumerate(loaded.recipe.exports):
        key = f"exports.{number}.kind"
        if not judges(block.kind):
            yield _at(loaded, key, what.format(key=key, kind=block.kind), fix)


def judges(exporter: str) -> bool:
    """Whether an exporter writes a reward model's head too."""
    return plugins.optional(plugins.load("exporter", exporter), "judge") is not None


def _evaluators(loaded: LoadedRecipe, trainer: str) -> Iterator[Problem]:
    gives = gives_reward(trainer)
    able = [name for name in plugins.names("evaluator") if _reads_rewards(name)]
    for number, block in enumerate(loaded.recipe.evals):
        key = f"evals.{number}.kind"
        if gives and not _reads_rewards(block.kind):
            what = _("{key}: `{kind}` reads answers, and a reward model gives none")
            fix = _("take it out, or use {names}")
            fix = fix.format(names=", ".join(f"`{name}`" for name in able))
        elif not gives and _reads_rewards(block.kind):
            what = _("{key}: `{kind}` reads rewards, and `{trainer}` makes a model that answers")
            fix = _("take it out, or set `train.kind: reward`")
        else:
            continue
        yield _at(loaded, key, what.format(key=key, kind=block.kind, trainer=trainer), fix)


def _reads_rewards(evaluator: str) -> bool:
    return plugins.optional(plugins.load("evaluator", evaluator), "READS") == REWARD


def _at(loaded: LoadedRecipe, key: str, what: str, fix: str | None) -> Problem:
    return Problem(loaded.origins.get(key, loaded.path.name), what, fix)
