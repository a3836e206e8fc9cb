"""The page on evaluation shows blocks that load and metrics that exist."""

import re
from pathlib import Path

import pytest
import yaml

from foundry.core import plugins
from foundry.core.recipe import Gate
from foundry.evals.taiwanese import vocabulary

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "evaluation.md").read_text(encoding="utf-8")
BLOCKS = [
    block
    for text in re.findall(r"```yaml\n(evals:.*?)```", PAGE, re.DOTALL)
    for block in yaml.safe_load(text)["evals"]
]
TABLES = re.findall(r"^\| evaluator \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
ROWS = re.findall(r"^\| `([a-z0-9-]+)` \|.*\|(.*)\|$", "".join(TABLES), re.MULTILINE)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block["kind"])
def test_a_block_of_the_page_loads(block):
    given = {key: value for key, value in block.items() if key != "kind"}

    assert plugins.load("evaluator", block["kind"]).Spec.model_validate(given)


@pytest.mark.parametrize(("kind", "beside"), ROWS)
def test_an_evaluator_of_the_page_has_the_companions_it_names(kind, beside):
    made = plugins.optional(plugins.load("evaluator", kind), "COMPANIONS") or ()
    named = [name if name[0] != "-" else kind + name for name in re.findall("`([^`]+)`", beside)]

    assert set(named) == {companion.name for companion in made}


def test_the_page_is_read():
    assert BLOCKS and ROWS


def test_the_page_says_how_long_the_list_of_words_is():
    assert f"a dated list of {len(vocabulary().words)} " in PAGE


def test_gates_of_the_page_load():
    gates = [
        gate
        for text in re.findall(r"```yaml\n(gates:.*?)```", PAGE, re.DOTALL)
        for gate in yaml.safe_load(text)["gates"]
    ]

    assert {"min_gain", "max_drop_pp", "non_inferiority_pp"} <= {
        key for gate in gates for key in gate
    }
    assert all(Gate.model_validate(gate) for gate in gates)
