"""A recipe whose test rows are plain texts says before training that its evals ask nothing."""

from pathlib import Path
from typing import Any

import pytest

from foundry.core.records import Example
from foundry.evals.answers import Answer, Item
from foundry.evals.evaluators import likelihood
from tests.tiny_recipe import RECIPE, Outcome, TinyRecipe, lay_out

TEXT = {"format": {"kind": "text", "text": "回答"}}


def data_of(tmp_path: Path, base: Path, **overrides: Any) -> tuple[TinyRecipe, Outcome]:
    """A recipe, walked to the end of its data stage."""
    recipe = lay_out(tmp_path / "r", base, **overrides)
    lines = ["問題,回答", *(f"第{n}題？,第{n}段文字說的是別的事情。" for n in range(20))]
    (recipe.folder / "rows.csv").write_text("\n".join(lines) + "\n", "utf-8")
    return recipe, recipe.train("--until", "data")


def test_plain_texts_with_evals_are_refused_before_training(tiny_base: Path, tmp_path: Path):
    _recipe, told = data_of(tmp_path, tiny_base, data={**RECIPE["data"], **TEXT})

    assert told.code == 2
    assert (
        "evals: the test part `test` holds plain texts, which ask nothing (rows.csv, " in told.err
    )
    assert "fix: write `evals: []`" in told.err and "--tasks perplexity" in told.err


def test_plain_texts_without_evals_pass(tiny_base: Path, tmp_path: Path):
    recipe, told = data_of(tmp_path, tiny_base, data={**RECIPE["data"], **TEXT}, evals=[])

    assert told.code == 0, told.err
    assert recipe.run.stamp("data") is not None


def test_an_evaluator_of_texts_is_refused_whatever_the_rows(tiny_base: Path, tmp_path: Path):
    _recipe, told = data_of(tmp_path, tiny_base, evals=[{"kind": "likelihood"}])

    assert told.code == 2
    assert "evals.likelihood: it reads how likely a text is" in told.err


@pytest.mark.parametrize("companion", likelihood.COMPANIONS, ids=lambda one: one.name)
def test_nobody_asked_counts_nothing_and_is_not_perfect(companion):
    item = Item(Example("t", (), "t.txt", 1, "t", text="臺灣的夏天很熱。"), "text")

    assert companion.observe(item, Answer("t", "", 0, stopped=True), likelihood.Spec()) is None
