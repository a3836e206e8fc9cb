"""The generated references are current, and leave nothing out."""

import re

import pytest

from foundry.cli.main import VERBS
from foundry.core import errors, plugins
from foundry.core.errors import FoundryError
from foundry.core.outline import outline
from foundry.core.yaml_places import dotted
from scripts import command_reference, recipe_reference

POINTS = ("adapter", "trainer", "exporter", "evaluator", "reward", "source", "format")


@pytest.mark.parametrize("script", [recipe_reference, command_reference])
def test_page_is_current(script):
    assert script.PAGE.read_text(encoding="utf-8") == script.page()


def test_recipe_page_has_every_key_and_every_kind():
    page = recipe_reference.PAGE.read_text(encoding="utf-8")

    for key in (dotted(path) for path in outline(None)):
        if not key.endswith(".kind"):
            assert f"| `{key.replace('.0.', '[].')}` |" in page, key
    for point in POINTS:
        for name in plugins.names(point):
            assert f"{{kind: {name}}}" in page, name


def test_command_page_has_every_verb_and_exit_code():
    page = command_reference.PAGE.read_text(encoding="utf-8")
    classes = [found for found in vars(errors).values() if isinstance(found, type)]
    codes = {found.exit_code for found in classes if issubclass(found, FoundryError)}

    assert all(f"\n## foundry {verb}\n" in page for verb in VERBS)
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", page, re.M)} == codes | {0}
