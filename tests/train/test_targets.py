"""The layers asked for get an update, all of them, and its file holds it (C18)."""

from pathlib import Path

import pytest
from safetensors.torch import load_file

from foundry.core.errors import RecipeError
from foundry.models.fetch import locate
from foundry.models.load import load_model
from foundry.train import fitting, proof, update_layers
from foundry.train.adapter_files import WEIGHTS
from foundry.train.adapters import oft
from tests import tiny_recipe
from tests.cases import case, change
from tests.mutants.adapter_saved_empty import empty, short
from tests.mutants.lora_b_zeroed import zeroed_then_saved
from tests.tiny_recipe import RECIPE, Outcome, TinyRecipe

check_targets = update_layers._check_targets
UNCHECKED = {"names are not looked up": change(update_layers, "_check_targets", lambda *_: None)}
ONE_CHECKED = {
    "one name is looked up": change(
        update_layers, "_check_targets", lambda model, names: check_targets(model, names[:1])
    )
}
LOST = {
    "no tensor is saved": change(fitting, "save_adapter", empty),
    "a tensor is not saved": change(fitting, "save_adapter", short),
    "updates are zeroed when saved": change(fitting, "save_adapter", zeroed_then_saved),
    "no adapter is read back": change(
        fitting, "load_tuned", lambda base, _, storage="full", place=None: load_model(base)
    ),
    "nobody counts": change(proof, "updated_layers", lambda _: {}),
}


@pytest.fixture
def targeting(tiny_base: Path, tmp_path: Path):
    """The tiny recipe with layers of the test's choice."""

    def lay_out(*names: str) -> TinyRecipe:
        adapter = {**RECIPE["adapter"], "target_modules": names}
        train = {**RECIPE["train"], "max_steps": 3}
        return tiny_recipe.lay_out(tmp_path / "tiny", tiny_base, adapter=adapter, train=train)

    return lay_out


def train(recipe: TinyRecipe) -> Outcome:
    return recipe.train("--until", "train")


@case("C18", {"PEFT takes another size": change(oft, "_check_blocks", lambda model, spec: None)})
def test_blocks_that_do_not_divide_a_layers_inputs_are_refused(tiny_llama: Path):
    base = locate(tiny_llama.name, tiny_llama.parent)

    with pytest.raises(RecipeError) as caught:
        oft.attach(load_model(base), oft.Spec(block_size=24))

    assert str(caught.value) == (
        "adapter.block_size: blocks of 24 do not divide the 64 inputs of `q_proj`\n"
        "  fix: set it to 16"
    )


def test_where_no_size_divides_all_layers_others_are_asked_for():
    problem = oft._uneven(4, {"q_proj": 7}, 1)

    assert (
        problem.fix
        == "name layers in `adapter.target_modules` whose inputs have a divisor in common"
    )


@case("C18", UNCHECKED)
def test_misspelt_target_is_refused_with_the_count_of_each(targeting):
    outcome = train(targeting("q_proj", "v_proj", "typo_proj"))

    assert outcome.code == 2
    assert "no layer of the model is called `typo_proj`" in outcome.err
    assert "(layers found: q_proj 2, v_proj 2, typo_proj 0)" in outcome.err
    assert "training: done" not in outcome.err


@case("C18", ONE_CHECKED)
def test_targets_that_match_nothing_are_refused_each(targeting):
    outcome = train(targeting("typo_proj", "query"))

    assert outcome.code == 2
    assert [f"called `{name}`" in outcome.err for name in ("typo_proj", "query")] == [True, True]
    assert "(layers found: typo_proj 0, query 0)" in outcome.err


@case("C18", LOST)
def test_targets_are_counted_saved_and_read_back_before_it_says_done(targeting):
    recipe = targeting("q_proj", "v_proj")

    outcome = train(recipe)

    assert outcome.code == 0, outcome
    said = outcome.err.splitlines()
    assert said.index("training: layers with an update: q_proj 2, v_proj 2") < len(said) - 1
    saved = load_file(recipe.run.file("adapter", WEIGHTS))
    assert len(saved) == 2 * 4
    assert [name for name, tensor in saved.items() if "lora_B" in name and not tensor.any()] == []
    evidence = recipe.train("--until", "train", "--json").document["proof"]
    assert evidence["layers"] == {"q_proj": 2, "v_proj": 2}
    assert evidence["reload"]["largest_difference"] == 0
