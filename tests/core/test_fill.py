"""A filled recipe says everything, says where it came from, and is the same recipe."""

import pytest

from foundry.core import shipped
from foundry.core.fill import fill
from foundry.core.load import load_recipe


def test_default_is_written_and_marked(load):
    assert "  max_seq_len: 512  # default\n" in fill(load())


def test_written_value_is_marked_with_its_place(load):
    assert "name: shop  # shop.yaml:2:1\n" in fill(load())


def test_override_is_marked_with_its_argument(load):
    assert "  max_steps: 5  # --set train.max_steps\n" in fill(load(sets=("train.max_steps=5",)))


def test_text_that_yaml_would_misread_is_quoted(load):
    text = fill(load(sets=('package.author="1e-4"', "purpose='a: b # c'")))

    assert '  author: "1e-4"  #' in text
    assert 'purpose: "a: b # c"  #' in text


def test_items_of_a_list_stand_on_their_own_lines(load):
    text = fill(load("exports: [{kind: gguf}, {kind: adapter}]"))

    assert (
        "exports:\n"
        "  - kind: gguf  # shop.yaml:10:12\n"
        "    quantization: q8_0  # default\n"
        "  - kind: adapter  # shop.yaml:10:26\n"
    ) in text


@pytest.mark.parametrize("name", shipped.recipe_names())
def test_filled_recipe_is_an_equal_recipe(name, tmp_path):
    loaded = load_recipe(name)
    path = tmp_path / "filled.yaml"
    path.write_text(fill(loaded), encoding="utf-8")

    again = load_recipe(path)

    assert again.values == loaded.values
    assert "default" not in again.origins.values()
