"""A recipe of three lines: its name is the file's, its title the name, its purpose general."""

from pathlib import Path

import pytest

from foundry.core.fill import fill
from foundry.core.load import load_recipe
from foundry.core.unwritten import name_from

SHORT = """\
schema_version: 1
base_model: gemma-3-270m
data: {sources: [{path: a.csv, licence: MIT, declaration: {basis: own-work, by: Us}}]}
"""


@pytest.fixture
def short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Load three lines from a file of any name."""
    monkeypatch.chdir(tmp_path)

    def run(file: str = "My shop (2).yaml", *sets: str):
        Path(file).write_text(SHORT, encoding="utf-8")
        return load_recipe(file, sets)

    return run


def test_name_is_the_files_and_says_so(short):
    loaded = short()

    assert loaded.recipe.name == "my-shop-2"
    assert loaded.origins["name"] == "file name"


def test_title_is_the_files_name_as_it_stands(short):
    loaded = short("台北店.yaml")

    assert loaded.recipe.title.model_dump() == {"zh-TW": "台北店", "en": "台北店"}
    assert (loaded.recipe.name, loaded.origins["title.en"]) == ("recipe", "file name")


def test_title_is_the_name_where_one_is_given(short):
    loaded = short("a.yaml", "name=shop")

    assert loaded.recipe.title.text("en") == "shop"
    assert (loaded.origins["name"], loaded.origins["title.zh-TW"]) == ("--set name", "name")


def test_purpose_is_general_and_so_is_the_declared_one(short):
    loaded = short()

    assert loaded.recipe.purpose == "general"
    assert loaded.recipe.data.sources[0].declaration.purpose == "general"
    assert loaded.origins["purpose"] == "default"


def test_the_adapter_is_handed_over_unless_the_recipe_says_otherwise(short):
    assert short().values["exports"] == [{"kind": "adapter"}]
    assert short("a.yaml", "exports=[]").values["exports"] == []


def test_every_value_nobody_wrote_is_filled_in_with_its_origin(short):
    text = fill(short())

    assert "name: my-shop-2  # file name\n" in text
    assert "  - kind: adapter  # default\n" in text


def test_wrong_name_is_told_once(mistakes):
    text = SHORT + "name: My Shop\n"

    assert mistakes(text=text) == [
        "shop.yaml:4:1: name: must be lower-case letters, digits and hyphens; "
        "got the text `My Shop`\n  fix: write `name: my-shop`"
    ]


def test_name_of_another_type_is_told_once(mistakes):
    assert len(mistakes(text=SHORT + "name: [a]\n")) == 1


@pytest.mark.parametrize(
    ("words", "name"),
    [("shop", "shop"), ("Shop_v2.final", "shop-v2-final"), ("--a--", "a"), ("店", "recipe")],
)
def test_words_become_a_name(words, name):
    assert name_from(words) == name


def test_a_long_file_name_is_cut_to_what_a_name_may_have():
    assert name_from("ab " * 40) == "-".join(["ab"] * 21) + "-a"
