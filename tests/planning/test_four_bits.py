"""QLoRA where bitsandbytes is missing or broken is refused by name, and never turns into LoRA."""

import sys

import pytest

from foundry.core import environment
from foundry.core.errors import ResourceError
from foundry.core.load import load_recipe
from foundry.planning import plan, refusals
from tests.cases import case, change
from tests.tiny_recipe import TinyRecipe

ACCEPTED = ("unknown",)
installed = environment.installed


def nothing(_loaded: object) -> None:
    """The fault: nobody looks."""


def without(name: str) -> str | None:
    """What is installed, but for bitsandbytes."""
    return None if name == "bitsandbytes" else installed(name)


@case("C82", {"nobody looks": change(plan, "check_four_bits", nothing)})
@pytest.mark.parametrize(
    ("is_there", "said", "fix"),
    [
        (False, "which is not installed", "`pip install bitsandbytes`"),
        (True, "which is here and cannot be loaded", "`pip install --force-reinstall"),
    ],
)
def test_four_bits_without_bitsandbytes_are_refused(
    recipe: TinyRecipe, monkeypatch: pytest.MonkeyPatch, is_there: bool, said: str, fix: str
):
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)  # so an import of it fails
    if not is_there:
        monkeypatch.setattr(environment, "installed", without)

    with pytest.raises(ResourceError, match="bitsandbytes") as error:
        plan.settle(load_recipe(recipe.file, ["adapter={kind: qlora}"]), ACCEPTED)

    (problem,) = error.value.problems
    assert said in problem.what
    assert problem.fix is not None and problem.fix.startswith(fix)
    plan.settle(load_recipe(recipe.file), ACCEPTED)  # LoRA does not want it


def test_four_bits_with_it_are_planned_on_a_processor(recipe: TinyRecipe):
    loaded = load_recipe(recipe.file, ["adapter={kind: qlora}"])

    refusals.check_four_bits(loaded)

    assert plan.settle(loaded, ACCEPTED).values["adapter"]["kind"] == "qlora"
