"""Where the update is attached, and that it changes nothing before training."""

from pathlib import Path
from typing import Any

import pytest
import torch

from foundry.core.errors import RecipeError
from foundry.models.fetch import locate
from foundry.models.load import load_model
from foundry.train import update_layers
from foundry.train.adapters import lora, rslora
from tests.cases import case, change


@pytest.fixture
def model(tiny_gemma3: Path) -> Any:
    return load_model(locate(str(tiny_gemma3), Path()))


def adapted(model: Any) -> set[str]:
    """The last names of the layers that have an update."""
    names = {name for name, _module in model.named_modules() if name.endswith("lora_B.default")}
    return {name.split(".")[-3] for name in names}


def test_all_linear_layers_of_the_blocks_get_an_update(model: Any):
    assert adapted(lora.attach(model, lora.Spec())) == {
        *("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    }


def test_only_the_layers_named_get_an_update(model: Any):  # C18
    spec = lora.Spec(target_modules=("q_proj", "v_proj"))

    assert adapted(lora.attach(model, spec)) == {"q_proj", "v_proj"}


def test_fresh_update_leaves_the_model_unchanged(model: Any):
    ids = torch.tensor([[1, 20, 30]])
    with torch.no_grad():
        before = model(ids).logits

        after = lora.attach(model, lora.Spec(rank=8))(input_ids=ids).logits

    assert torch.equal(before, after)


@pytest.mark.parametrize("adapter", [lora, rslora])
def test_scale_at_the_defaults_is_the_one_the_learning_rate_is_for(model: Any, adapter: Any):
    layers = adapter.attach(model, adapter.Spec()).base_model.model.model.layers

    assert layers[0].mlp.up_proj.scaling == {"default": 2.0}


@pytest.mark.parametrize(("adapter", "scale"), [(lora, 2.0), (rslora, 8.0)])
def test_update_is_scaled_as_asked(model: Any, adapter: Any, scale: float):  # C39
    spec = adapter.Spec(rank=16, alpha=32)

    layers = adapter.attach(model, spec).base_model.model.model.layers

    assert layers[0].mlp.up_proj.scaling == {"default": scale}


def test_misspelt_target_is_refused_with_the_nearest(model: Any):  # C18
    with pytest.raises(RecipeError) as error:
        lora.attach(model, lora.Spec(target_modules=("q_proj", "v_porj", "xyz")))

    wrong, unlike = error.value.problems
    assert wrong.where == "adapter.target_modules"
    assert wrong.what.startswith("no layer of the model is called `v_porj` (layers found: ")
    assert wrong.fix == "use `v_proj`"
    assert unlike.fix == "use `all-linear`"


@pytest.mark.parametrize("name", ["mlp", "norm", "act_fn"])
def test_target_that_is_no_linear_layer_is_refused(model: Any, name: str):  # C18
    with pytest.raises(RecipeError, match=f"no layer of the model is called `{name}`"):
        lora.attach(model, lora.Spec(target_modules=(name,)))


@case("C81", {"nobody looks": change(update_layers, "_check_targets", lambda *_: None)})
def test_head_as_target_is_refused(model: Any):
    with pytest.raises(RecipeError, match="`lm_head` is the head of the model"):
        lora.attach(model, lora.Spec(target_modules=("q_proj", "lm_head")))
