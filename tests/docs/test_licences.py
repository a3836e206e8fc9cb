"""The page on licences: its table is the data's, its rules are the code's, its commands run."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

from foundry.core.recipe import Recipe
from foundry.policy import licence
from foundry.policy.conflicts import RULES
from foundry.policy.licence import Licence
from tests.tiny_recipe import RECIPE, call

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "licences.md").read_text(encoding="utf-8")
HEAD = (
    "| name | SPDX | commercial | name begins | accept first | text held | version | read on |",
    "|---|---|---|---|---|---|---|---|",
)


def row(x: Licence) -> str:
    words = {True: "yes", False: "no", None: "not known"}
    cells = (
        *(f"`{x.name}`", x.spdx or "–", words[x.commercial], x.name_prefix or "–"),
        *(words[x.needs_acceptance], words[bool(x.text_files)], x.version_date or "?", x.read_on),
    )
    return f"| {' | '.join(cells)} |"


def test_table_is_that_of_the_data():
    rows = [row(x) for x in licence.load_licences().values()]

    assert PAGE.partition("<!-- table -->\n")[2].splitlines() == ["", *HEAD, *rows]


def test_each_rule_is_explained():
    assert set(re.findall(r"^\| `([a-z-]+)` \|", PAGE.partition("<!-- table")[0], re.M)) == set(
        RULES
    )


@pytest.mark.parametrize("block", re.findall(r"```console\n(.*?)```", PAGE, re.S))
def test_commands_say_what_the_page_shows(block):
    command, *shown = block.splitlines()

    outcome = call(*shlex.split(command.removeprefix("$ foundry ")))

    assert shown and set(shown) <= set(outcome.out.splitlines())
    assert outcome.code == 1


@pytest.mark.parametrize("block", re.findall(r"```yaml\n(.*?)```", PAGE, re.S))
def test_blocks_of_a_recipe_load(block):
    assert Recipe.model_validate({**RECIPE, **yaml.safe_load(block)})
