"""`docs/processes.md` shows commands and keys that there are."""

import re
from pathlib import Path

import pytest
import yaml

from foundry.core import plugins
from foundry.core.compute import Compute
from foundry.core.load import load_recipe
from foundry.planning.processes import IN_PARTS
from tests.commands import parse

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "processes.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^foundry .*$", PAGE, flags=re.MULTILINE)


def test_commands_are_found():
    assert len(COMMANDS) == 2


@pytest.mark.parametrize("line", COMMANDS)
def test_command_and_its_settings_are_known(line: str):
    given = parse(line)

    assert load_recipe(given["recipe"], given["set"]).recipe.compute.processes in (2, 8)


def test_block_is_the_default():
    block = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)[0]

    assert Compute.model_validate(yaml.safe_load(block)["compute"]) == Compute()


def test_adapters_and_trainers_are_those_of_the_program():
    sharing = [
        n for n in plugins.names("trainer") if "MANY_PROCESSES" in vars(plugins.load("trainer", n))
    ]

    assert all(f"`{name}`" in PAGE for name in (*IN_PARTS, *sharing))
