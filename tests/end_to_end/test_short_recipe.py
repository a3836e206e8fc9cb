"""A recipe without exports, evaluations or test rows goes to the end and says what it lacks."""

import json
from pathlib import Path

import pytest

from tests.tiny_recipe import RECIPE, Outcome, TinyRecipe, call, lay_out

# What makes two tiny layers learn in a second; a recipe of three lines has the defaults.
QUICK = [f"--set=train.{key}={value}" for key, value in RECIPE["train"].items() if key != "kind"]
NO_FILES = [*QUICK, "--set=exports=[]", "--set=data.split.test=0.5"]
SHORT = """\
schema_version: 1
base_model: base
data: {sources: [{path: rows.csv, licence: MIT, declaration: {basis: own-work, by: A test}}]}
"""


@pytest.fixture(scope="module")
def without_files(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory):
    """Three lines with a test part, but nothing to measure and nothing to make."""
    made = short(lay_out(tmp_path_factory.mktemp("short") / "tiny", tiny_base))
    return made, made.train(*NO_FILES)


def short(recipe: TinyRecipe) -> TinyRecipe:
    """The tiny recipe with nothing in it that a default says."""
    recipe.file.write_text(SHORT, encoding="utf-8")
    return recipe


def test_three_lines_become_a_package_that_says_nothing_was_measured(recipe: TinyRecipe):
    outcome = short(recipe).train(*QUICK)

    card = (recipe.package / "README.md").read_text("utf-8")
    assert outcome.code == 0, outcome
    assert "Nothing was measured: the recipe keeps no rows for testing." in outcome.out
    assert "Nothing was measured" in card and "沒有量任何成績" in card
    assert "foundry chat" not in card  # there is no file that could be asked
    assert call("verify", str(recipe.package)).code == 0


def test_report_of_nothing_names_why_and_asks_no_model(without_files: tuple[TinyRecipe, Outcome]):
    run, outcome = without_files[0].run, without_files[1]

    report = json.loads(run.file("evals", "report.json").read_text("utf-8"))
    page = run.file("evals", "report.html").read_text("utf-8")
    assert report["headlines"][0]["en"].startswith("Nothing was measured: the recipe does not say")
    assert report["headlines"][0]["en"] in outcome.out and report["headlines"][0]["en"] in page
    assert not run.file("evals", "answers").exists()
    assert "All scores" not in page


def test_empty_exports_make_no_package_and_say_so(without_files: tuple[TinyRecipe, Outcome]):
    recipe, outcome = without_files

    assert outcome.code == 0, outcome
    assert "packaging: no package, since the recipe's `exports` are empty" in outcome.err
    assert "package:" not in outcome.out
    assert not recipe.package.exists()
    assert "package" not in recipe.train(*NO_FILES, "--json").document
