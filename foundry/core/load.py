"""Read a recipe: file, fragments and `--set` become one checked `Recipe`, or every problem.

Each value keeps where it was written, so that errors and `plan.json` can say where it came from.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from foundry.core import explain, layers, recipe_file, references, shipped, unwritten
from foundry.core.errors import Problem, RecipeError
from foundry.core.language import gettext as _
from foundry.core.outline import plugin_blocks
from foundry.core.recipe import Recipe
from foundry.core.yaml_places import Node, dotted
from foundry.core.yaml_places import Path as KeyPath

DEFAULT = "default"


@dataclass(frozen=True)
class LoadedRecipe:
    """A recipe with where everything in it came from.

    Attributes:
        recipe: The checked recipe.
        values: The same as plain JSON values, every default filled in.
        origins: Dotted path of each leaf of `values` -> `file:line:column`, `--set key`,
            `default`, or for a name and title nobody wrote `file name` and `name`.
        source_text: The recipe file as written.
        path: The recipe file.
        overrides: The `--set` arguments that were applied.
    """

    recipe: Recipe
    values: Mapping[str, Any]
    origins: Mapping[str, str]
    source_text: str
    path: Path
    overrides: tuple[str, ...] = ()


def load_recipe(recipe: str | Path, overrides: Sequence[str] = ()) -> LoadedRecipe:
    """Load a recipe file, or a shipped recipe by name.

    Args:
        recipe: A path, or a name such as `retail/customer-service`.
        overrides: `--set` arguments such as `train.learning_rate=1e-4`; the last wins.

    Raises:
        RecipeError: Holds every problem of the recipe, its fragments and the overrides.
        ResourceError: The file is not there or cannot be read.
    """
    path = shipped.find_recipe(str(recipe))
    return load_text(recipe_file.read_text(path), path, overrides)


def load_text(text: str, path: Path, overrides: Sequence[str] = ()) -> LoadedRecipe:
    """Load a recipe from its text, which need not have been written to `path` yet.

    Raises:
        RecipeError: Holds every problem of the recipe, its fragments and the overrides.
    """
    written, wrong = recipe_file.parse(text, shipped.label(path))
    tree, layer_problems = recipe_file.with_fragments(written)
    over, override_problems = layers.read_overrides(overrides)
    wrong += layer_problems + override_problems
    if over:
        try:
            tree = layers.combine(tree, over, plugin_blocks())
        except RecipeError as error:
            wrong += error.problems
    tree = unwritten.complete(tree, path)
    checked, schema_problems = _check(tree)
    wrong += schema_problems
    if wrong or checked is None:
        raise RecipeError(_in_order(wrong))
    values = checked.model_dump(mode="json")
    origins = {dotted(key): _origin(tree, key) for key in leaves(values)}
    return LoadedRecipe(checked, values, origins, text, path, tuple(overrides))


def leaves(values: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    """The path of every scalar, and of every empty list or block."""
    children: Sequence[tuple[str | int, Any]] = ()
    if isinstance(values, Mapping):
        children = list(values.items())
    elif isinstance(values, list):
        children = list(enumerate(values))
    if not children:
        yield path
    for part, child in children:
        yield from leaves(child, (*path, part))


def _check(tree: Node) -> tuple[Recipe | None, list[Problem]]:
    references_wrong = references.problems(tree)
    try:
        return Recipe.model_validate(tree.plain()), references_wrong
    except ValidationError as error:
        return None, explain.problems(error, tree) + references_wrong


def _origin(tree: Node, path: KeyPath) -> str:
    node = tree.at(*path)
    if node is None:
        return DEFAULT
    file, colon, rest = str(node.place).partition(":")
    # An origin is kept as evidence and handed over; an absolute path tells about the machine.
    return (Path(file).name if Path(file).is_absolute() else file) + colon + rest


def _in_order(wrong: Sequence[Problem]) -> list[Problem]:
    """The problems by file, line and column; of a flood only the first."""
    ordered = sorted(wrong, key=_position)
    more = len(ordered) - explain.MAX_PROBLEMS
    if more <= 0:
        return ordered
    rest = _("and {count} more problems").format(count=more)
    return [*ordered[: explain.MAX_PROBLEMS], Problem("", rest)]


def _position(problem: Problem) -> tuple[str, int, int]:
    """Sort problems by file, line and column."""
    found = re.match(r"(.*?):(\d+):(\d+)(:|$)", problem.where)
    return (found[1], int(found[2]), int(found[3])) if found else (problem.where, 0, 0)
