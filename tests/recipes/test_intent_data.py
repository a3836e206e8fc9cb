"""The bank's sample messages: balanced, leak-free, in Taiwan's words, and read by the recipe."""

import csv
from collections import Counter
from pathlib import Path

import pytest

from foundry.core import plugins, shipped
from foundry.core.load import load_recipe
from foundry.core.records import Example
from foundry.data.normalising import normalise
from foundry.evals.answers import Answer, Item
from foundry.evals.evaluators import language
from foundry.evals.metrics import metrics_of

NAME = "finance/intent"
FOLDER = shipped.root() / "recipes" / "finance" / "intent"


def read(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


TRAIN, TEST = read("train.csv"), read("test.csv")


@pytest.fixture(scope="module")
def items() -> list[Item]:
    """The test rows as the recipe's format makes them."""
    block = load_recipe(NAME).recipe.data.format
    drafts = [plugins.load("format", block.kind).to_draft(row, block.spec) for row in TEST]
    return [
        Item(Example(f"t{n}", draft.turns, "test.csv", n + 2, f"t{n}"), "unseen")
        for n, draft in enumerate(drafts)
    ]


def test_each_intent_has_as_many_messages():
    assert {*Counter(row["category"] for row in TRAIN).values()} == {16}
    assert {*Counter(row["category"] for row in TEST).values()} == {5}
    assert {row["category"] for row in TRAIN} == {row["category"] for row in TEST}


def test_no_message_stands_twice_or_on_both_sides():
    texts = [normalise(row["text"]) for row in TRAIN + TEST]

    assert len({*texts}) == len(texts)


def test_files_are_utf8_with_unix_line_ends():
    for name in ("train.csv", "test.csv"):
        content = (FOLDER / name).read_bytes()
        content.decode("utf-8")
        assert b"\r" not in content and not content.startswith(b"\xef\xbb\xbf")


def test_readme_states_the_true_counts():
    readme = (Path(FOLDER) / "README.md").read_text(encoding="utf-8")

    assert f"| `train.csv` | {len(TRAIN)} |" in readme
    assert f"| `test.csv` | {len(TEST)} |" in readme


def test_messages_are_written_as_in_taiwan(items):
    spec = language.settle(items, language.Spec())

    for row in TRAIN + TEST:
        for text in (row["text"], row["category"]):
            said = Answer("x", text, len(text), stopped=True)
            assert language.score(items[0], said, spec) == 1.0, text


def test_the_recipe_measures_its_test_and_gates_what_it_measures(items):
    recipe = load_recipe(NAME).recipe

    metrics = {metric.name for metric in metrics_of(recipe.evals, items)}

    assert {gate.metric for gate in recipe.gates} <= metrics
    assert {"classification-macro-f1", "classification-parse-rate"} <= metrics
