"""The page on training shows blocks that load, trainers that exist and metrics that are named."""

import re
from pathlib import Path

import pytest
import yaml

from foundry.core import plugins

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "training.md").read_text(encoding="utf-8")
TEXTS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
BLOCKS = [yaml.safe_load(text)["train"] for text in TEXTS]
KINDS = re.findall(r"^\| `([a-z]+)` \|.*\| (stable|experimental) \|$", PAGE, re.MULTILINE)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block["kind"])
def test_a_block_of_the_page_loads(block):
    kind = block["kind"]
    given = {key: value for key, value in block.items() if key != "kind"}

    assert plugins.load("trainer", kind).Spec.model_validate(given)


def test_the_page_lists_every_trainer_of_preferences_and_which_are_experimental():
    reading = {
        name: plugins.load("trainer", name)
        for name in plugins.names("trainer")
        if {"preference", "unpaired-preference"} & {*plugins.load("trainer", name).ACCEPTS}
    }
    found = {name: getattr(one, "EXPERIMENTAL", None) is not None for name, one in reading.items()}
    page = {kind: word == "experimental" for kind, word in KINDS}

    assert page == {name: is_open for name, is_open in found.items() if name != "reward"}
    assert "`train.kind: reward`" in PAGE  # it has a section of its own
    assert {*page} <= {block["kind"] for block in BLOCKS}
