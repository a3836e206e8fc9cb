"""Models that a recipe names stand beside the tuned one, asked the same in their own template."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from foundry.core.errors import RecipeError, ResourceError
from foundry.core.load import load_recipe
from foundry.evals.references import named
from foundry.models.fetch import locate
from foundry.planning.references import references_of
from tests.faults import small
from tests.tiny_recipe import TinyRecipe, lay_out

CHOSEN = {
    **small.SMALL,
    "evals": [{"kind": "exact-match"}, {"kind": "controls", "sample": 16}],
    "gates": [],
}


def beside(folder: Path, base: Path, *names: str, **values: Any) -> TinyRecipe:
    evaluation = {**CHOSEN["evaluation"], "references": [*names]}
    return lay_out(folder, base, **{**CHOSEN, "evaluation": evaluation, **values})


@pytest.fixture(scope="module")
def report(
    tiny_base: Path, tiny_gemma3: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """Of a recipe that names a model of another family, and the base itself."""
    folder = tmp_path_factory.mktemp("beside") / "tiny"
    recipe = beside(folder, tiny_base, str(tiny_gemma3), "base")
    small.again(recipe, "--until", "evaluate")
    return dict(json.loads(recipe.run.file("evals", "report.json").read_text("utf-8")))


def column(report: dict[str, Any], name: str) -> dict[str, Any]:
    return next(dict(one) for one in report["columns"] if one["name"] == name)


def test_every_model_has_a_column_and_a_verdict(report: dict[str, Any]):
    found = {one["name"]: one["role"] for one in report["columns"]}

    assert found["reference-tiny-gemma3"] == found["reference-base"] == "other"
    assert column(report, "reference-tiny-gemma3")["title"]["en"] == "tiny-gemma3"
    pairs = {(d["kind"], d["a"], d["b"]) for d in report["differences"]}
    for name in ("reference-tiny-gemma3", "reference-base"):
        assert ("tuned-reference", "tuned", name) in pairs
        assert {s["metric"] for s in report["scores"] if s["column"] == name} >= {
            "exact-match",
            "controls",
        }


def test_each_is_asked_in_its_own_template(report: dict[str, Any]):
    tuned, other = (column(report, n)["settings"] for n in ("tuned", "reference-tiny-gemma3"))

    assert other["template_sha256"] != tuned["template_sha256"]
    assert other["prompts_sha256"] != tuned["prompts_sha256"]
    assert other["decoding"]["max_new_tokens"] == tuned["decoding"]["max_new_tokens"]


def test_base_that_is_named_answers_as_the_base_column(report: dict[str, Any]):
    base, again = (column(report, name) for name in ("base", "reference-base"))

    assert again["answers_sha256"] == base["answers_sha256"]


def test_what_is_not_here_is_told_before_training(tiny_base: Path, tmp_path: Path):
    recipe = beside(tmp_path / "tiny", tiny_base, "nobody/nothing")

    told = recipe.train("--until", "data")

    assert told.code == ResourceError.exit_code
    assert "nobody/nothing" in told.err


def test_two_of_one_name_are_told_apart(tiny_llama: Path, tmp_path: Path):
    twin = Path(shutil.copytree(tiny_llama, tmp_path / "other" / tiny_llama.name))

    found = named([locate(str(folder), tmp_path) for folder in (tiny_llama, twin)])

    assert [*found] == [f"reference-{tiny_llama.name}", f"reference-{tiny_llama.name}-2"]


def test_reward_model_has_nobody_beside_it(tiny_base: Path, tmp_path: Path):
    recipe = beside(tmp_path / "tiny", tiny_base, "base")
    loaded = load_recipe(recipe.folder / "recipe.yaml", ("train={kind: reward, max_steps: 1}",))

    with pytest.raises(RecipeError, match="a reward model answers nothing"):
        references_of(loaded)
