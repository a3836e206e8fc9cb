"""A base model's folder made by somebody else: refused by name, and nothing in it is run."""

import resource
from pathlib import Path

import jinja2
import pytest

from foundry.models import contents, folder
from tests import hostile
from tests.cases import case, change
from tests.tiny_recipe import TinyRecipe, call

MOST_GROWTH_KIB = 32 << 10
paths = folder._paths


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """What each payload would make."""
    return tmp_path / "canary"


@pytest.fixture
def hostile_recipe(recipe: TinyRecipe, canary: Path) -> TinyRecipe:
    """The tiny recipe on a base with pickles, an `auto_map`, a zip bomb and an evil template."""
    base = recipe.folder / "base"
    (base / "pytorch_model.bin").write_bytes(hostile.torch_saved(canary))
    (base / "added_tokens.json").write_bytes(hostile.pickled(canary))
    (base / "zeros.zip").write_bytes(hostile.zip_bomb())
    (base / "vocab.json").write_bytes(hostile.zip_bomb())
    (base / "chat_template.jinja").write_text(hostile.template(canary), encoding="utf-8")
    hostile.ask_for_code(base, canary)
    return recipe


def test_template_would_make_the_canary(canary: Path):
    jinja2.Environment().from_string(hostile.template(canary)).render()

    assert canary.exists()


def test_evil_template_alone_is_refused_where_rows_meet_it(recipe: TinyRecipe, canary: Path):  # C75
    template = recipe.folder / "base" / "chat_template.jinja"
    template.write_text(hostile.template(canary), encoding="utf-8")

    outcome = recipe.train("--until", "encode", "--json")

    assert outcome.code == 1, outcome
    assert "chat template" in outcome.out
    assert not canary.exists()


@case(
    "C74",
    {
        "one file is looked at": change(folder, "_paths", lambda path: [next(paths(path))]),
        "content is not looked at": change(contents, "_disguise", lambda _path: None),
    },
)
@pytest.mark.parametrize("verb", ["plan", "train"])
def test_pickle_auto_map_zip_bomb_and_evil_template_are_refused_by_name(
    hostile_recipe: TinyRecipe, canary: Path, verb: str
):  # C73 too
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    outcome = call(*[verb, *hostile_recipe.arguments("--json")[1:]])

    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert outcome.code == 3, outcome
    found = {Path(p["where"]).name: p["what"] for p in outcome.document["problems"]}
    assert sorted(found) == [
        *("added_tokens.json", "code.py", "config.json"),
        *("pytorch_model.bin", "vocab.json", "zeros.zip"),
    ]
    assert "(found: pickle)" in found["added_tokens.json"]
    assert "(found: zip)" in found["vocab.json"]
    assert "`auto_map` names code.Model" in found["config.json"]
    assert not canary.exists()
    assert not hostile_recipe.runs.exists()
    assert grown < MOST_GROWTH_KIB < hostile.BOMB_BYTES >> 10


def test_recipe_cannot_ask_for_code(recipe: TinyRecipe):  # C74
    outcome = recipe.train("--set", "trust_remote_code=true", "--json")

    assert outcome.code == 2
    assert "unknown key" in outcome.document["problems"][0]["what"]
