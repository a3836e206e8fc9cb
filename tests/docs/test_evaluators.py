"""The reference of evaluators is that of the code, and its examples really score."""

import re

import pytest
import yaml

from foundry.core import plugins
from foundry.core.blocks import Plugin
from foundry.evals.plain_texts import COMMAND
from scripts.evaluator_reference import CASES, PAGE, reference, section

KINDS = plugins.names("evaluator")
NOT_FOR_A_RECIPE = {"likelihood"}


def shown(text: str) -> list[str]:
    """The kinds of the blocks that a section gives for a recipe, as the product reads them."""
    found = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    blocks = [block for one in found for block in yaml.safe_load(one)["evals"]]
    return [Plugin("evaluator").read(block).kind for block in blocks]


def test_page_is_what_the_script_makes():
    assert PAGE.read_text(encoding="utf-8") == reference()


@pytest.mark.parametrize("kind", KINDS)
def test_example_of_an_evaluator_is_read_and_tells_a_right_answer_from_a_wrong_one(kind: str):
    text = section(kind)

    assert shown(text) == ([] if kind in NOT_FOR_A_RECIPE else [kind])
    assert (COMMAND in text) == (kind in NOT_FOR_A_RECIPE)
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line[:2] == "| "]
    head = next(n for n, row in enumerate(rows) if row[0] == "answer")
    assert rows[head][1] == f"`{kind}`"
    scores = [float(row[1]) for row in rows[head + 1 :]]
    assert max(scores) > 0 and (len(scores) == 1 or min(scores) < max(scores))


def test_every_evaluator_has_an_example_and_no_example_is_left_over():
    assert {*CASES} == {*KINDS}
