"""Read a folder of YAML facts, such as configs/models/, into frozen values.

One file is one value; the file's name is the value's `name`. Every wrong file and key is told at
once, because whoever maintains the facts edits many of them together.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import Field, ValidationError
from pydantic_core import ErrorDetails

from foundry.core import shipped, yaml_places
from foundry.core.errors import Place, Problem, RecipeError
from foundry.core.explain import locate
from foundry.core.fields import Closed, Refused
from foundry.core.language import gettext as _
from foundry.core.near import nearest
from foundry.core.yaml_places import Node

FactName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$", max_length=64)]

Mark = Annotated[str, Field(pattern=r"^[THRXN?]( .+)?$")]
"""How well a fact is known, and where from: `T` licence or spec text read in full, `H` a stored
Hugging Face page, `R` a third party's word, `X` run or unpacked here, `N` not known, `?` not
verified. The letters are those of shared/taiwan.md, of 24 Nov 2026."""


class Fact(Closed):
    """A value read from a file of the same name, with a mark for each fact that needs one."""

    name: FactName
    marks: dict[str, Mark] = Field(
        default_factory=dict, description="Key of the fact -> how well it is known."
    )


F = TypeVar("F", bound=Fact)


def read_folder(folder: Path, model: type[F]) -> dict[str, F]:
    """The values of every `*.yaml` in `folder` by name, sorted.

    Raises:
        RecipeError: Each problem with file, line and key.
    """
    found: dict[str, F] = {}
    problems: list[Problem] = []
    for path in sorted(folder.glob("*.yaml")):
        try:
            value = _read(path, model)
        except RecipeError as error:
            problems.extend(error.problems)
        else:
            found[value.name] = value
    if problems:
        raise RecipeError(problems)
    return dict(sorted(found.items()))


def unknown_name(name: str, known: Iterable[str], what: str, fallback: str) -> RecipeError:
    """The error for a name that is in no file.

    Args:
        name: The name that was asked for.
        known: Every name that exists.
        what: The sentence to say.
        fallback: The fix where no known name is like it.
    """
    near = nearest(name.lower(), known)
    fix = _("use `{name}`").format(name=near) if near else fallback
    return RecipeError(Problem(name, what, fix))


def _read(path: Path, model: type[F]) -> F:
    label = shipped.label(path)
    tree, repeated = yaml_places.read(
        path.read_text(encoding="utf-8"), lambda line, column: Place(label, line, column)
    )
    try:
        value = model.model_validate(tree.plain())
    except ValidationError as error:
        details = error.errors(include_url=False)
        raise RecipeError([*repeated, *(_problem(d, tree, model) for d in details)]) from None
    problems = [*repeated, *_own_problems(value, path, tree, model)]
    if problems:
        raise RecipeError(problems)
    return value


def _own_problems(value: Fact, path: Path, tree: Node, model: type[Fact]) -> list[Problem]:
    problems = []
    if value.name != path.stem:
        what = _("the name `{name}` is not the name of the file").format(name=value.name)
        fix = _("write `name: {name}`").format(name=path.stem)
        problems.append(Problem(locate(tree, ("name",)), what, fix))
    for key in value.marks:
        if key not in model.model_fields:
            what = _("there is no key `{key}` to mark").format(key=key)
            problems.append(Problem(locate(tree, ("marks", key)), what, _fix_key(key, model)))
    return problems


def _problem(detail: ErrorDetails, tree: Node, model: type[Fact]) -> Problem:
    path = tuple(part for part in detail["loc"] if isinstance(part, str | int))
    where = locate(tree, path)
    if detail["type"] == "extra_forbidden":
        return Problem(where, _("unknown key"), _fix_key(str(path[-1]), model))
    if detail["type"] == "missing":
        return Problem(where, _("this key is required"))
    if detail["type"] == "value_error" and isinstance(detail["ctx"]["error"], Refused):
        refused = detail["ctx"]["error"]
        return Problem(where, refused.what, refused.fix)
    return Problem(where, detail["msg"])


def _fix_key(key: str, model: type[Fact]) -> str:
    fields: Mapping[str, object] = model.model_fields
    near = nearest(key, fields)
    if near:
        return _("rename it to `{name}`").format(name=near)
    return _("remove it; accepted here: {keys}").format(keys=", ".join(fields))
