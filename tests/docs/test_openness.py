"""The page on openness: its commands say what it shows, its record is read and is of class III."""

import re
import shlex
from pathlib import Path

import pytest

from foundry.policy import mof
from foundry.policy.openness import assess, rules
from tests.tiny_recipe import call

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "openness.md").read_text(encoding="utf-8")


def test_page_has_a_command_and_a_record():
    assert "```console\n" in PAGE and "```yaml\n" in PAGE


@pytest.mark.parametrize("block", re.findall(r"```console\n(.*?)```", PAGE, re.S))
def test_commands_say_what_the_page_shows(block: str):
    command, *shown = block.splitlines()

    outcome = call(*shlex.split(command.removeprefix("$ foundry ")))

    assert shown and set(shown) <= set(outcome.out.splitlines())
    assert outcome.code == 0


@pytest.mark.parametrize("block", re.findall(r"```yaml\n(.*?)```", PAGE, re.S))
def test_record_is_read(block: str):
    found = assess(mof.parse(block, "page").given(rules()))

    assert (found.mof_class, found.progress[2]) == (3, 60)
