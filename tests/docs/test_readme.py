"""Every command that the pages tell people to type exists; those of the README are run."""

import re
from pathlib import Path

import pytest

from foundry.cli.main import VERBS
from tests.commands import parse
from tests.tiny_recipe import TinyRecipe, call

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "Makefile")
FOUNDRY = re.compile(r"(?:`|^|\$\(BIN\)/)(foundry [a-z][^`\n|]*)", re.MULTILINE)
MAKE = re.compile(r"(?:`|^)make ([a-z][a-z-]*)", re.MULTILINE)
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


def found(pattern: re.Pattern[str], pages: tuple[str, ...] = PAGES) -> list[str]:
    """What a pattern finds on the pages, each once."""
    texts = [(ROOT / page).read_text(encoding="utf-8") for page in pages]
    return list(dict.fromkeys(hit.strip() for text in texts for hit in pattern.findall(text)))


COMMANDS = found(FOUNDRY)
IN_README = found(FOUNDRY, ("README.md",))


def test_the_pages_show_commands():
    assert len(IN_README) >= 6
    assert {"setup", "demo", "test"} <= set(found(MAKE))


@pytest.mark.parametrize("target", found(MAKE))
def test_target_exists(target: str):
    assert target in TARGETS


@pytest.mark.parametrize("line", COMMANDS)
def test_command_parses(line: str):
    words = line.split()
    if len(words) > 2:
        parse(line)
    else:  # the verb is only mentioned
        assert words[1] in VERBS


@pytest.mark.parametrize("line", IN_README)
def test_command_of_the_readme_runs(finished: TinyRecipe, line: str):
    parts = {
        "RECIPE": f"{finished.file}",
        "PACKAGE": f"{finished.package}",
        "TEXT": "售價4？",
    }
    words = [parts.get(word, word) for word in line.split()[1:]]
    if words[0] == "train":
        words = finished.arguments()

    outcome = call(*words)

    assert outcome.code == 0, outcome
    assert outcome.out
