"""A small good recipe, and ways to load it changed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from foundry.core.errors import RecipeError
from foundry.core.load import LoadedRecipe, load_recipe

GOOD = """\
schema_version: 1
name: shop
title: {zh-TW: 店, en: Shop}
base_model: gemma-3-270m
purpose: customer-service
data:
  sources:
    - {path: a.csv, licence: CC0-1.0, declaration: {basis: own-work, by: Us}}
  format: {kind: question-answer}
"""

Load = Callable[..., LoadedRecipe]
Mistakes = Callable[..., list[str]]


@pytest.fixture
def good() -> str:
    """The text of the good recipe."""
    return GOOD


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Load the good recipe with `more` below it, as `shop.yaml` in the working folder."""
    monkeypatch.chdir(tmp_path)

    def run(more: str = "", *, sets: tuple[str, ...] = (), text: str | bytes = GOOD):
        content = text if isinstance(text, bytes) else (text + more).encode()
        (tmp_path / "shop.yaml").write_bytes(content)
        return load_recipe("shop.yaml", sets)

    return run


@pytest.fixture
def mistakes(load: Load) -> Mistakes:
    """What is wrong with a recipe, one text a problem."""

    def run(more: str = "", **changes) -> list[str]:
        with pytest.raises(RecipeError) as caught:
            load(more, **changes)
        return [str(problem) for problem in caught.value.problems]

    return run


@pytest.fixture
def configs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Write fragments of the test's own, which replace the shipped ones."""
    root = tmp_path / "shipped"
    (root / "configs" / "adapters").mkdir(parents=True)
    (root / "recipes").mkdir()
    monkeypatch.setattr("foundry.core.shipped.root", lambda: root)

    def write(name: str, text: str) -> None:
        (root / "configs" / f"{name}.yaml").write_text(text, encoding="utf-8")

    return write
