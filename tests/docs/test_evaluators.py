"""The reference of evaluators is that of the code, and its examples really score."""

import re

import pytest
import yaml

from foundry.core import plugins
from foundry.core.blocks import Plugin
from scripts.evaluator_reference import CASES, PAGE, reference, section

KINDS = plugins.names("evaluator")


def test_page_is_what_the_script_makes():
    assert PAGE.read_text(encoding="utf-8") == reference()


@pytest.mark.parametrize("kind", KINDS)
def test_example_of_an_evaluator_is_read_and_tells_a_right_answer_from_a_wrong_one(kind: str):
    text = section(kind)

    (block,) = yaml.safe_load(re.search(r"```yaml\n(.*?)```", text, re.DOTALL)[1])["evals"]
    assert Plugin("evaluator").read(block).kind == kind
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line[:2] == "| "]
    head = next(n for n, row in enumerate(rows) if row[0] == "answer")
    assert rows[head][1] == f"`{kind}`"
    scores = [float(row[1]) for row in rows[head + 1 :]]
    assert max(scores) > 0 and (len(scores) == 1 or min(scores) < max(scores))


def test_every_evaluator_has_an_example_and_no_example_is_left_over():
    assert {*CASES} == {*KINDS}
