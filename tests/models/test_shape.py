"""Shapes count the weights that the real classes have."""

import json

import pytest

from foundry.models import catalogue
from foundry.models.shape import Shape, shape_of
from tests import tiny

SHAPED = [name for name, entry in catalogue.load_catalogue().items() if entry.shape is not None]
# The vision part of Gemma 3's conditional class; its sizes are SigLIP's of 400M.
VISION = {"hidden_size": 1152, "intermediate_size": 4304, "num_hidden_layers": 27}
VISION |= {"num_attention_heads": 16, "image_size": 896, "patch_size": 14}
VISION |= {"vision_use_head": False}


def test_the_catalogue_knows_shapes_of_its_main_models():
    assert len(SHAPED) == 37
    assert {"gemma-3-taide-12b", "llama-3.1-8b", "qwen3-8b"} <= set(SHAPED)


@pytest.mark.parametrize("name", SHAPED)
def test_a_shape_counts_what_the_catalogue_says(name):
    entry = catalogue.find(name)

    assert entry.shape is not None
    assert entry.parameters is not None
    assert entry.shape.parameters == pytest.approx(entry.parameters, rel=0.01)


@pytest.mark.parametrize("name", SHAPED)
def test_a_shape_counts_what_the_real_class_has(name):
    entry = catalogue.find(name)

    assert entry.shape is not None
    one, two = (_on_no_memory(entry.architecture, entry.shape, layers) for layers in (1, 2))
    counted = one + (entry.shape.layers - 1) * (two - one)

    assert entry.shape.parameters == pytest.approx(counted, rel=0.01)


@pytest.mark.parametrize("family", ["llama", "gemma3", "gemma3-conditional", "qwen3"])
def test_the_shape_of_a_folder_counts_its_tensors(tmp_path, family):
    folder = tiny.build(tmp_path / "base", family)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))

    shape = shape_of(config).with_parameters(counted := _stored(folder))

    assert (shape.layers, shape.hidden, shape.vocabulary) == (2, 64, 640)
    assert shape.parameters == pytest.approx(counted, rel=0.01)


def test_a_window_is_that_of_some_layers(tmp_path):
    folder = tiny.build(tmp_path / "base", "gemma3")
    shape = shape_of(json.loads((folder / "config.json").read_text(encoding="utf-8")))

    assert (shape.sliding_window, shape.full_layers) == (32, 1)


def _stored(folder):
    from safetensors import safe_open

    with safe_open(folder / "model.safetensors", "pt") as file:
        return sum(file.get_tensor(name).numel() for name in file.keys())  # noqa: SIM118


def _on_no_memory(architecture: str | None, shape: Shape, layers: int) -> int:
    """Parameters of the class in transformers with these sizes and so many layers."""
    import torch
    import transformers

    assert architecture is not None
    made = getattr(transformers, architecture)
    sizes = {
        "num_hidden_layers": layers,
        "hidden_size": shape.hidden,
        "intermediate_size": shape.intermediate,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head_dim,
        "vocab_size": shape.vocabulary,
        "tie_word_embeddings": shape.tied_head,
    }
    if architecture == "Gemma3ForConditionalGeneration":
        config = made.config_class(text_config=sizes, vision_config=VISION)
    elif architecture == "Phi3ForCausalLM":
        del sizes["head_dim"]
        config = made.config_class(**sizes, pad_token_id=0)
    else:
        config = made.config_class(**sizes)
    with torch.device("meta"):
        return sum(p.numel() for p in made(config).parameters())
