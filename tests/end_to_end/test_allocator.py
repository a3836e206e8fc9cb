"""A run by the command with jemalloc ends as one without: the same bits, and the record says so."""

import json
import os
import subprocess
import sys

import pytest

from foundry.core import allocator
from tests.tiny_recipe import TinyRecipe
from tests.tiny_run import adapter_bytes

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(allocator.library() is None, reason="jemalloc is not installed"),
]


def trained(recipe: TinyRecipe, **settings: str) -> TinyRecipe:
    """The recipe, trained by the command in a process of its own."""
    command = [sys.executable, "-m", "foundry", *recipe.arguments("--until", "train")]
    subprocess.run(command, check=True, env={**os.environ, **settings}, stdout=subprocess.DEVNULL)
    return recipe


def test_adapter_has_the_same_bits_under_either_allocator(recipe: TinyRecipe):
    other = recipe.copy(recipe.folder.with_name("other"))

    trained(recipe)
    trained(other, FOUNDRY_ALLOCATOR="system")

    used = [json.loads(r.run.file("env.json").read_text())["allocator"] for r in (recipe, other)]
    assert used == ["jemalloc", "system"]
    assert adapter_bytes(recipe.run) == adapter_bytes(other.run)
