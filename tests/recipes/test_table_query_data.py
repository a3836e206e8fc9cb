"""The shop's table questions: calls that fit their tool, leak-free, scored as they should be."""

import json
import re
from typing import Any

import jsonschema
import pytest

from foundry.core import plugins, shipped
from foundry.core.load import load_recipe
from foundry.core.records import Example, ToolCall
from foundry.data.normalising import normalise
from foundry.data.settling import settle_draft
from foundry.evals.answers import Answer, Item
from foundry.evals.evaluators import language, tool_calls
from foundry.evals.metrics import metrics_of
from foundry.evals.questions import answer_of
from foundry.evals.written_calls import read_written

NAME = "retail/table-query"
FOLDER = shipped.root() / "recipes" / "retail" / "table-query"
FILES = ("train", "unseen", "new-table")


def read(name: str) -> list[dict[str, Any]]:
    text = (FOLDER / f"{name}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


ROWS = {name: read(name) for name in FILES}
ALL = [row for rows in ROWS.values() for row in rows]


def items_of(name: str) -> list[Item]:
    """The rows as the recipe's format makes them."""
    block = load_recipe(NAME).recipe.data.format
    found = []
    for n, row in enumerate(ROWS[name]):
        draft = plugins.load("format", block.kind).to_draft(row, block.spec)
        turns, key = settle_draft(draft).turns, f"{name}{n}"
        found.append(Item(Example(key, turns, name, n + 1, key, tools=draft.tools), name))
    return found


@pytest.fixture(scope="module")
def items() -> list[Item]:
    return [item for name in FILES for item in items_of(name)]


def calls_of(row: dict[str, Any]) -> list[dict[str, Any]]:
    return [call["function"] for call in row["messages"][-1].get("tool_calls", [])]


def columns_of(call: dict[str, Any]) -> set[str]:
    given = call["arguments"]
    placed = [*given.get("filters", []), given.get("aggregate"), given.get("order_by")]
    return {*given.get("columns", []), *(one["column"] for one in placed if one)}


def test_every_call_fits_its_tool_and_names_columns_of_its_table():
    for row in ALL:
        (tool,) = (one["function"] for one in row["tools"])
        known = {*re.findall(r"([^：、。]+)（", tool["description"])}
        for call in calls_of(row):
            assert call["name"] == tool["name"]
            jsonschema.validate(call["arguments"], tool["parameters"])
            assert columns_of(call) <= known, row["messages"]


def test_a_number_stands_where_the_column_is_one():
    for row in ALL:
        numeric = {*re.findall(r"([^：、。]+)（數字", row["tools"][0]["function"]["description"])}
        for call in calls_of(row):
            for one in call["arguments"].get("filters", []):
                assert isinstance(one["value"], int) == (one["column"] in numeric), one


def test_no_question_stands_twice_and_the_new_table_is_in_one_part_alone():
    asked = [normalise(row["messages"][0]["content"]) for row in ALL]
    tables = {name: {row["table"] for row in rows} for name, rows in ROWS.items()}

    assert len({*asked}) == len(asked)
    assert tables["unseen"] == tables["train"] and not tables["new-table"] & tables["train"]


def test_readme_states_the_true_counts():
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")

    for name, rows in ROWS.items():
        assert f"| `{name}.jsonl` | {len(rows)} |" in readme


def test_questions_are_written_as_in_taiwan(items):
    spec = language.settle(items, language.Spec())

    for item in items:
        text = item.example.messages[0].content
        said = Answer("x", text, len(text), stopped=True)
        assert language.score(items[0], said, spec) == 1.0, text


def test_a_right_call_is_right_in_any_order_and_wrong_with_numbers_in_quotes(items):
    spec, scores = tool_calls.Spec(), {"turned": [], "quoted": []}
    for item in items:
        (call,) = item.example.messages[-1].tool_calls or (ToolCall("", {}),)
        filters, columns = (call.arguments.get(key) for key in ("filters", "columns"))
        numbers = [one for one in filters or [] if isinstance(one["value"], int)]
        if filters or columns:
            turned = {"filters": filters, "columns": columns}
            turned = {key: value[::-1] for key, value in turned.items() if value}
            scores["turned"].append(score(item, {**call.arguments, **turned}, spec))
        if numbers:
            quoted = [{**one, "value": str(one["value"])} for one in filters]
            scores["quoted"].append(score(item, {**call.arguments, "filters": quoted}, spec))

    assert {*scores["turned"]} == {1.0} and len(scores["turned"]) > 50
    assert {*scores["quoted"]} == {0.0} and len(scores["quoted"]) > 15


def score(item: Item, arguments: dict[str, Any], spec: tool_calls.Spec) -> float | None:
    (tool,) = item.example.tools
    written = {"name": tool["function"]["name"], "arguments": arguments}
    text = f"<tool_call>\n{json.dumps(written)}\n</tool_call>"
    return tool_calls.score(item, Answer("x", text, len(text), stopped=True), spec)


def test_reference_calls_read_back_as_themselves(items):
    for item in items:
        calls = item.example.messages[-1].tool_calls

        read_back = read_written(answer_of(item.example), item.example.tools).calls

        assert [(c.name, c.arguments) for c in read_back] == [(c.name, c.arguments) for c in calls]


def test_the_recipe_measures_its_test_and_gates_what_it_measures(items):
    recipe = load_recipe(NAME).recipe

    metrics = {metric.name for metric in metrics_of(recipe.evals, items)}

    assert {gate.metric for gate in recipe.gates} <= metrics
    assert {"tool-calls-right-tool", "tool-calls-abstention"} <= metrics
