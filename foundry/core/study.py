"""A study: recipes that are to be compared, each trained with several seeds on one budget.

`studies/<name>.yaml` says which; `study.json` in the folder of a study says how far it has come.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from foundry.core import atomic, explain, recipe_file, shipped
from foundry.core.errors import Problem, RecipeError, ResourceError
from foundry.core.fields import Closed, Many, Number, Refused, Seed
from foundry.core.language import gettext as _
from foundry.core.recipe import Name, Text, Words

FILE = "study.json"
SCHEMA_VERSION = 1
LENGTHS = ("train.max_steps", "train.epochs")
Kind = Literal["tokens", "steps", "seconds", "trainable-parameters"]
# As `Name`, with what `rank=16,learning_rate=0.0002` is written with; no file is called so.
ARM = r"^[a-z0-9][a-z0-9.,=_+-]*$"


class Budget(Closed):
    """What every arm gets the same of; one of the four."""

    tokens: int | None = Field(None, ge=1, description="Tokens to train on, prompts included.")
    steps: int | None = Field(None, ge=1, description="Optimizer steps.")
    seconds: Number | None = Field(
        None, gt=0, description="Seconds of optimizer steps on this machine, found out by a trial."
    )
    trainable_parameters: int | None = Field(
        None, ge=1, description="Numbers that are trained; a trial checks that every arm has them."
    )

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if sum(value is not None for value in self._all().values()) != 1:
            fix = _("write one of {names}").format(names="`steps: 75`, `tokens: 30000`, …")
            raise Refused(_("a budget is one of {names}").format(names=", ".join(self._all())), fix)
        return self

    def _all(self) -> dict[str, float | None]:
        return {
            "tokens": self.tokens,
            "steps": self.steps,
            "seconds": self.seconds,
            "trainable_parameters": self.trainable_parameters,
        }

    @property
    def kind(self) -> Kind:
        """Which of the four."""
        kinds: dict[str, Kind] = {
            "tokens": "tokens",
            "steps": "steps",
            "seconds": "seconds",
            "trainable_parameters": "trainable-parameters",
        }
        return kinds[next(name for name, value in self._all().items() if value is not None)]

    @property
    def amount(self) -> float:
        """How much of it."""
        return next(value for value in self._all().values() if value is not None)


class StudyArm(Closed):
    """A recipe that is compared with the others."""

    name: str = Field(pattern=ARM, max_length=64, description="What the arm is called in tables.")
    recipe: Words | None = Field(None, description="Its recipe; the study's own where absent.")
    set: dict[str, Any] = Field({}, description="Values laid over the recipe, as with `--set`.")


class Study(Closed):
    """Recipes that are to be compared."""

    schema_version: Literal[1] = Field(description="Version of the study language.")
    name: Name = Field(description="Lower-case letters, digits and hyphens.")
    title: Text = Field(description="What is asked, for people.")
    recipe: Words = Field(
        description="A recipe's name, or a file relative to the study's own; the arms alter it."
    )
    seeds: Many[Seed] = Field(min_length=1, description="Each arm is trained with each of them.")
    budget: Budget | None = Field(
        None,
        description="What every arm gets the same of; where absent, each is trained as long as its "
        "recipe says.",
    )
    set: dict[str, Any] = Field({}, description="Values laid over the recipe of every arm.")
    arms: Many[StudyArm] = Field(min_length=2, description="What is compared.")

    @model_validator(mode="after")
    def _is_unambiguous(self) -> Self:
        names = [arm.name for arm in self.arms]
        if len(set(names)) < len(names):
            raise Refused(_("two arms have one name"), _("give each arm a name of its own"))
        if len(set(self.seeds)) < len(self.seeds):
            raise Refused(_("a seed is named twice"), _("name each seed once"))
        for values in (self.set, *(arm.set for arm in self.arms)):
            if "seed" in values:
                fix = _("write the seeds under `seeds`")
                raise Refused(_("`set` decides the seed, which the study varies"), fix)
        return self

    @model_validator(mode="after")
    def _has_one_length(self) -> Self:
        """A budget that decides how long an arm is trained is not contradicted by its `set`."""
        if self.budget is None or self.budget.kind == "trainable-parameters":
            return self
        for values in (self.set, *(arm.set for arm in self.arms)):
            train = values.get("train")
            keys = [
                *values,
                *(f"train.{key}" for key in (train if isinstance(train, dict) else ())),
            ]
            for key in LENGTHS:
                if key in keys:
                    fix = _("remove it, or choose another budget")
                    raise Refused(_("`{key}` is decided by the budget").format(key=key), fix)
        return self


@dataclass(frozen=True)
class LoadedStudy:
    """A checked study with its text and its file."""

    study: Study
    text: str
    path: Path

    def recipe_of(self, arm: StudyArm) -> str:
        """The recipe of an arm as `foundry train` takes it: a file, or a shipped name."""
        name = arm.recipe or self.study.recipe
        beside = Path(os.path.normpath(self.path.parent / name))  # its folder may not be there yet
        return str(beside) if beside.is_file() else name

    def overrides(self, arm: StudyArm, seed: int) -> tuple[str, ...]:
        """What an arm lays over its recipe, as arguments of `--set`."""
        laid = [*self.study.set.items(), *arm.set.items()]
        return (*(f"{key}={json.dumps(value)}" for key, value in laid), f"seed={seed}")


def load_study(study: str | Path) -> LoadedStudy:
    """Load a study's file, or a shipped study by name.

    Raises:
        RecipeError: Holds every problem of the file; those of its recipes are found when they load.
        ResourceError: The file is not there or cannot be read.
    """
    path = shipped.find_study(str(study))
    return read_study(recipe_file.read_text(path), path)


def read_study(text: str, path: Path) -> LoadedStudy:
    """A study from its text, which need not have been written to `path` yet.

    Raises:
        RecipeError: Holds every problem of the text; those of its recipes are found when they load.
    """
    tree, wrong = recipe_file.parse(text, shipped.label(path))
    try:
        checked = Study.model_validate(tree.plain())
    except ValidationError as error:
        raise RecipeError([*wrong, *explain.problems(error, tree, Study)]) from None
    if wrong:
        raise RecipeError(wrong)
    return LoadedStudy(checked, text, path)


@dataclass(frozen=True)
class Outline:
    """How far a study has come.

    Attributes:
        name: Of the study.
        title: Per language.
        budget: What every arm gets the same of; None where each recipe says how long.
        settled: The `--set` arguments by arm that the budget came to; None until it is known.
        runs: By arm and seed the name of the run in `runs/`; None where it was not begun.
        recipes: A fingerprint of what the recipes decided when it began; None in the folder
            of an earlier version.
    """

    name: str
    title: Mapping[str, str]
    budget: Kind | None
    settled: Mapping[str, list[str]] | None
    runs: Mapping[str, Mapping[int, str | None]]
    recipes: str | None = None


def write_outline(outline: Outline, folder: Path) -> None:
    """Write `study.json`."""
    runs = {
        arm: {str(seed): name for seed, name in found.items()}
        for arm, found in outline.runs.items()
    }
    made = {
        "schema_version": SCHEMA_VERSION,
        "name": outline.name,
        "title": dict(outline.title),
        "budget": outline.budget,
        "settled": outline.settled,
        "recipes": outline.recipes,
        "runs": runs,
    }
    atomic.write_json(folder / FILE, made)


def read_outline(folder: Path) -> Outline:
    """What `study.json` of a study's folder says.

    Raises:
        ResourceError: There is none, or it is damaged.
    """
    try:
        found = json.loads((folder / FILE).read_text(encoding="utf-8"))
        runs = {
            arm: {int(seed): name for seed, name in named.items()}
            for arm, named in found["runs"].items()
        }
        name, title, budget = (found[key] for key in ("name", "title", "budget"))
        return Outline(name, title, budget, found["settled"], runs, found.get("recipes"))
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        fix = _("`foundry study run FILE --out DIR` makes one")
        raise ResourceError(Problem(str(folder), _("not the folder of a study"), fix)) from error
