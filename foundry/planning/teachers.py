"""The model that a distillation learns from: where it is, and whether it can teach this one."""

from foundry.core.errors import Problem, RecipeError
from foundry.core.language import gettext as _
from foundry.core.load import LoadedRecipe
from foundry.core.records import BaseModel
from foundry.models.fetch import locate
from foundry.models.same_tokenizer import difference

KEY = "train.teacher"


def teacher_name(loaded: LoadedRecipe) -> str | None:
    """The teacher that a recipe names; None where its trainer has none."""
    name: str | None = loaded.recipe.train.spec.model_dump().get("teacher")
    return name


def teacher_of(loaded: LoadedRecipe) -> BaseModel | None:
    """The teacher that a recipe names, on this machine; None where its trainer has none.

    Raises:
        ResourceError: It is not on this machine; says how to get it.
    """
    name = teacher_name(loaded)
    return None if name is None else locate(name, loaded.path.parent)


def check_teacher(loaded: LoadedRecipe, base: BaseModel, teacher: BaseModel | None) -> None:
    """Refuse a teacher that writes other tokens than the model that is to learn them.

    Raises:
        RecipeError: Names both models and what differs; or the teacher reads fewer tokens than
            the rows may have.
    """
    if teacher is None:
        return
    problems, where = [], loaded.origins.get(KEY, loaded.path.name)
    if teacher.sha256 == base.sha256:
        what = _("{key}: {teacher} is the base model itself, so that there is nothing to learn")
        fix = _("choose another model of its family")
        problems.append(Problem(where, what.format(key=KEY, teacher=teacher.name), fix))
    if (apart := difference(base, teacher)) is not None:
        what = _("{key}: {teacher} and {base} do not have the same tokenizer: {apart}")
        named = {"key": KEY, "teacher": teacher.name, "base": base.name, "apart": apart}
        fix = _("choose a teacher of the family of {base}, such as a larger one of it")
        problems.append(Problem(where, what.format(**named), fix.format(base=base.name)))
    wanted = loaded.recipe.encode.max_seq_len
    if wanted > teacher.context:
        what = _("{key}: {wanted} tokens are more than the {most} that {base} can read")
        named = {"key": KEY, "wanted": str(wanted), "most": str(teacher.context)}
        fix = _("set `encode.max_seq_len` to {most} or less").format(most=teacher.context)
        problems.append(Problem(where, what.format(base=teacher.name, **named), fix))
    if problems:
        raise RecipeError(problems)
