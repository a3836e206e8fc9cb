"""A sweep: a study whose arms are one recipe with every combination of some of its values."""

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from foundry.core import atomic, yaml_places
from foundry.core.deciding import decides
from foundry.core.errors import Place, Problem, RecipeError
from foundry.core.language import gettext as _
from foundry.core.load import LoadedRecipe, load_recipe
from foundry.core.study import ARM, LoadedStudy, read_study
from foundry.studies.run import WRITTEN

EXAMPLE = "--sweep adapter.rank=8,16,32"
MOST_ARMS = 1000  # a typing error more often than a plan of work
LONGEST_ARM = 64  # characters, as `StudyArm` has it
LONGEST_NAME = 40  # of the recipe's in the sweep's, which has at most 64 characters
# What is compared is the tuned model itself; a file and a gate would only take time.
WITHOUT = {"exports": [], "gates": []}


@dataclass(frozen=True)
class Axis:
    """A key of the recipe, and the values that it takes in turn."""

    key: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class Wanted:
    """What is swept: a recipe as `foundry train` takes it, the arguments of its options."""

    recipe: str
    overrides: tuple[str, ...]
    axes: tuple[str, ...]
    seeds: int

    @property
    def fingerprint(self) -> str:
        """The same for the same command."""
        return atomic.fingerprint([self.recipe, self.overrides, self.axes, self.seeds])


def as_study(wanted: Wanted, folder: Path | None) -> tuple[LoadedStudy, Path]:
    """The study of a sweep, and its folder: `sweep-NAME-` and eight digits where None is given.

    The seeds count up from the recipe's own.

    Raises:
        RecipeError: The recipe, or what is swept, is wrong.
        ResourceError: The recipe is not there or cannot be read.
    """
    axes = read_axes(wanted.axes)
    loaded = load_recipe(wanted.recipe, wanted.overrides)
    name = f"{loaded.recipe.name[:LONGEST_NAME].rstrip('-')}-{wanted.fingerprint[:8]}"
    folder = Path(f"sweep-{name}") if folder is None else folder
    title = loaded.recipe.title.model_dump(by_alias=True)
    first = loaded.recipe.seed
    own = {key: _value(loaded, key) for key in _laid(wanted.overrides) if key != "seed"}
    arms = [
        {"name": _name(axes, values, number), "set": dict(zip(_all(axes), values, strict=True))}
        for number, values in enumerate(_combinations(axes), start=1)
    ]
    study = {
        "schema_version": 1,
        "name": name,
        "title": title,
        "recipe": _from(folder, wanted.recipe),
        "seeds": list(range(first, first + wanted.seeds)),
        "set": {**WITHOUT, **own},
        "arms": arms,
    }
    text = json.dumps(study, ensure_ascii=False, indent=1) + "\n"  # JSON is YAML
    return read_study(text, folder / WRITTEN), folder


def read_axes(texts: Sequence[str]) -> list[Axis]:
    """What `--sweep KEY=VALUE,VALUE` arguments say.

    Raises:
        RecipeError: Holds what is wrong with any of them.
    """
    axes, wrong = list[Axis](), list[Problem]()
    for text in texts:
        try:
            axes.append(_read(text))
        except RecipeError as error:
            wrong += error.problems
    twice = sorted({axis.key for axis in axes if [a.key for a in axes].count(axis.key) > 1})
    wrong += [_wrong(_("`{key}` is swept twice").format(key=key)) for key in twice]
    if wrong:
        raise RecipeError(wrong)
    return axes


def _read(text: str) -> Axis:
    key, equals, listed = (part.strip() for part in text.partition("="))
    place = Place(f"--sweep {key}")
    if not key or not equals or not listed:
        what = _("must have the form key=value,value; got `{text}`")
        raise RecipeError(_wrong(what.format(text=text)))
    if key == "seed":
        fix = _("use `--seeds 3`")
        raise RecipeError(Problem("--sweep", _("`seed` is no value that is compared"), fix))
    if not decides(key):
        what = _("`{key}` makes no other run: the result is the same with any")
        fix = _("name a value that changes the result, such as `adapter.rank`")
        raise RecipeError(Problem("--sweep", what.format(key=key), fix))
    node, repeated = yaml_places.read(f"[{listed}]", lambda _line, _column: place)
    if repeated:
        raise RecipeError(repeated)
    values = tuple(node.plain())
    if len({json.dumps(value) for value in values}) < len(values):
        raise RecipeError(_wrong(_("a value is named twice in `{text}`").format(text=text)))
    return Axis(key, values)


def _wrong(what: str) -> Problem:
    return Problem("--sweep", what, _("write `{line}`").format(line=EXAMPLE))


def _combinations(axes: Sequence[Axis]) -> list[tuple[Any, ...]]:
    found = list(product(*(axis.values for axis in axes)))
    if len(found) < 2:
        raise RecipeError(_wrong(_("there is only one arm; give a key at least two values")))
    if len(found) > MOST_ARMS:
        what = _("{count} arms; at most {most} are trained")
        raise RecipeError(_wrong(what.format(count=len(found), most=MOST_ARMS)))
    return found


def _all(axes: Sequence[Axis]) -> list[str]:
    return [axis.key for axis in axes]


def _name(axes: Sequence[Axis], values: Sequence[Any], number: int) -> str:
    """`rank=16,learning_rate=0.0002`; `arm-3` where a value is no word or it would be too long."""
    last = [axis.key.rpartition(".")[2] for axis in axes]
    keys = last if len(set(last)) == len(last) else _all(axes)
    words = ",".join(
        f"{key}={_word(value)}" for key, value in zip(keys, values, strict=True)
    ).lower()
    fits = len(words) <= LONGEST_ARM and re.fullmatch(ARM, words)
    return words if fits else f"arm-{number}"


def _word(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _keys(overrides: Sequence[str]) -> list[str]:
    return [text.partition("=")[0].strip() for text in overrides]


def _laid(overrides: Sequence[str]) -> list[str]:
    """The keys that `--set` names; of a list that a sweep would leave out the list itself."""
    keys = _keys(overrides)
    lists = {block: f"{block}." for block in WITHOUT}
    whole = [block for block in WITHOUT if any(key.startswith(lists[block]) for key in keys)]
    return [*whole, *(key for key in keys if not key.startswith(tuple(lists.values())))]


def _value(loaded: LoadedRecipe, key: str) -> Any:
    """The value that `--set` came to."""
    found: Any = loaded.values
    for part in key.split("."):
        found = found[int(part)] if isinstance(found, list) else found[part]
    return found


def _from(folder: Path, recipe: str) -> str:
    """The recipe as `study.yaml` in `folder` names it: its own path would tell of this machine."""
    path = Path(recipe)
    return os.path.relpath(path, folder) if path.is_file() else recipe
