"""What the evaluation would refuse is refused before anything is trained."""

from pathlib import Path
from typing import Any

from tests.tiny_recipe import Outcome, lay_out


def at_the_data(tmp_path: Path, base: Path, *evals: Any) -> Outcome:
    return lay_out(tmp_path / "r", base, evals=[*evals]).train("--until", "data")


def test_misspelt_column_is_told_before_training(tiny_base: Path, tmp_path: Path):
    wrong = {"kind": "required-facts", "required": "應涵"}

    told = at_the_data(tmp_path, tiny_base, wrong, {"kind": "exact-match"})

    assert told.code == 2
    assert "evals.required-facts: can score none of the " in told.err
    assert "fix: check its parts and its columns" in told.err


def test_evaluators_that_fit_pass_also_those_that_bring_their_own(tiny_base: Path, tmp_path: Path):
    own = {"kind": "controls", "sample": 16}, {"kind": "canaries"}

    assert at_the_data(tmp_path, tiny_base, {"kind": "exact-match"}, *own).code == 0


def test_nothing_to_measure_on_is_no_fault_here(tiny_base: Path, tmp_path: Path):
    recipe = lay_out(tmp_path / "r", tiny_base, evals=[], gates=[])

    assert recipe.train("--until", "data").code == 0
