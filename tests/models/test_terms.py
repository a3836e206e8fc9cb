"""Everything in a recipe that brings a licence with it."""

from pathlib import Path
from typing import Any

import pytest

from foundry.core.errors import RecipeError
from foundry.core.recipe import Recipe
from foundry.models import terms
from tests.tiny_recipe import RECIPE

SOURCE = RECIPE["data"]["sources"][0]


def found(**keys: Any) -> list[tuple[str, str, str]]:
    recipe = Recipe.model_validate({**RECIPE, "base_model": "qwen3-8b", **keys})
    bound = terms.of_recipe(recipe, Path("/nowhere"))
    return [(one.of, one.licence.name, one.role) for one in bound]


def test_base_and_each_licence_of_each_source_count():
    source = {**SOURCE, "licence": "MIT AND CC-BY-4.0", "generated_by": ["llama3-taide-lx-8b"]}

    assert found(data={**RECIPE["data"], "sources": [source]}) == [
        ("base_model", "apache-2.0", "base"),
        ("rows.csv", "mit", "data"),
        ("rows.csv", "cc-by-4.0", "data"),
        ("rows.csv (llama3-taide-lx-8b)", "taide-l", "generated-by"),
        ("rows.csv (llama3-taide-lx-8b)", "llama3", "generated-by"),
    ]


def test_replayed_rows_count():
    again = {**SOURCE, "path": "general.csv", "licence": "CC-BY-NC-4.0"}
    data = {**RECIPE["data"], "replay": {"share": 0.1, "sources": [again]}}

    assert ("general.csv", "cc-by-nc-4.0", "data") in found(data=data)


@pytest.mark.parametrize(
    ("teacher", "licence"),
    [("llama-3.1-8b", "llama3.1"), ("somebody/model@main", "unknown"), ("./teacher", "unknown")],
)
def test_teacher_counts_as_a_model_that_wrote_data(teacher, licence):
    train = {"kind": "distill", "teacher": teacher}

    assert (f"train.teacher ({teacher})", licence, "generated-by") in found(train=train)


def test_weights_in_a_folder_are_what_the_recipe_says():
    assert found(base_model="./base")[0] == ("base_model", "unknown", "base")
    assert found(base_model="./base", base_origin={"terms": "mit"})[0][1] == "mit"
    same = found(base_model="./base", base_origin={"same_as": "taide-lx-7b"})
    assert same[:2] == [
        ("base_model", "taide-l", "base"),
        ("base_model", "llama2", "built-on"),
    ]


def test_name_of_the_catalogue_says_itself_what_it_is():
    with pytest.raises(RecipeError, match="is in the catalogue"):
        found(base_origin={"terms": "mit"})


def test_writer_that_means_nothing_is_refused():
    source = {**SOURCE, "generated_by": ["lama-3"]}

    with pytest.raises(RecipeError, match="no facts are known about this licence"):
        found(data={**RECIPE["data"], "sources": [source]})
