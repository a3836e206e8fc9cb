"""The command line as users see it: a change of a flag shows in the golden files."""

import re

import pytest

from foundry.cli.main import VERBS
from scripts import messages
from tests.commands import commands, parse
from tests.tiny_recipe import call

LEAVES = dict(commands())
LINES = {" ".join(path): path for path in LEAVES}
# Verbs that write a run or spend time on one.
WRITING = {
    *(("train",), ("model", "fetch"), ("recipe", "new"), ("study", "run"), ("eval",)),
    ("publish",),
}


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


@pytest.mark.parametrize("verb", VERBS)
def test_help_is_as_it_was(golden, verb: str):
    paths = [path for path in LEAVES if path[0] == verb]
    pages = [(verb,)] if paths == [(verb,)] else [(verb,), *paths]

    shown = [call(*page, "--help") for page in pages]

    assert [outcome.code for outcome in shown] == [0] * len(pages)
    golden(f"help-{verb}.txt", "\n".join(outcome.out for outcome in shown))


@pytest.mark.parametrize("path", LINES.values(), ids=LINES)
def test_every_command_has_json(path: tuple[str, ...]):
    flags = {flag for parameter in LEAVES[path].params for flag in parameter.opts}

    assert "--json" in flags
    assert ("--dry-run" in flags) == (path in WRITING)


@pytest.mark.parametrize("path", LINES.values(), ids=LINES)
def test_example_of_every_command_parses(path: tuple[str, ...]):
    out = " ".join(call(*path, "--help").out.split())

    (example,) = re.findall(r"Example: (foundry .*?) (?:Arguments|Options):", out)
    assert example.split()[1 : 1 + len(path)] == list(path)
    parse(example)


def test_messages_name_commands_that_exist():
    ids = [m.id if isinstance(m.id, tuple) else (m.id,) for m in messages.extract()]
    texts = [text for texts in ids for text in texts]

    said = {f"{line} " for text in texts for line in re.findall("`foundry ([a-z ]+)", text)}

    assert {line for line in said if not any(line.startswith(f"{one} ") for one in LINES)} == set()
