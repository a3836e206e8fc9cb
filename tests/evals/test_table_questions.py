"""A question on a table becomes a call: typed arguments, and no order where the schema has none."""

import pytest

from foundry.core.records import Example, ToolCall, Turn
from foundry.evals import typed_values
from foundry.evals.answers import Answer, Item
from foundry.evals.evaluators import tool_calls
from foundry.evals.questions import answer_of
from tests.cases import case, change

FILTER = {
    "type": "object",
    "properties": {
        "column": {"type": "string"},
        "operator": {"type": "string", "enum": ["=", "<", ">=", "in"]},
        "value": {"type": ["number", "string", "array", "null"], "uniqueItems": True},
    },
}
PROPERTIES = {
    "columns": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
    "filters": {"type": "array", "items": FILTER, "uniqueItems": True},
    "order_by": {"type": "array", "items": {"type": "string"}},
    "aggregate": {"type": "string"},
    "limit": {"type": "integer"},
}
QUERY = {
    "type": "function",
    "function": {
        "name": "query_table",
        "description": "查商品表。欄位：商品（文字）、產地（文字）、售價（數字）、庫存（數字）",
        "parameters": {"type": "object", "properties": PROPERTIES, "required": ["columns"]},
    },
}
CHEAP = {"column": "售價", "operator": "<", "value": 500}
LOCAL = {"column": "產地", "operator": "in", "value": ["臺灣", "日本"]}
WANTED = {
    "columns": ["商品", "售價"],
    "filters": [CHEAP, LOCAL],
    "order_by": ["售價", "商品"],
    "limit": 3,
}
COUNT = {"aggregate": "count", "columns": ["商品"], "filters": [CHEAP]}


def item(n: int, arguments: dict | None) -> Item:
    calls = () if arguments is None else (ToolCall("query_table", arguments),)
    answer = Turn("assistant", "" if calls else "這張表沒有寫。", tool_calls=calls)
    turns = (Turn("user", f"第{n}題：不到五百元的有哪些？"), answer)
    return Item(Example(f"q{n:02}", turns, "t.jsonl", n + 1, f"q{n:02}", tools=(QUERY,)), "facts")


def said(arguments: dict) -> str:
    return answer_of(item(0, arguments).example)


OTHERWISE = {
    "as it is": ({}, 1.0),
    "columns the other way": ({"columns": ["售價", "商品"]}, 1.0),
    "filters the other way": ({"filters": [LOCAL, CHEAP]}, 1.0),
    "values of `in` the other way": (
        {"filters": [CHEAP, {**LOCAL, "value": ["日本", "臺灣"]}]},
        1.0,
    ),
    "a number with a fraction of nought": ({"filters": [{**CHEAP, "value": 500.0}, LOCAL]}, 1.0),
    "a number in quotes": ({"filters": [{**CHEAP, "value": "500"}, LOCAL]}, 0.0),
    "a number in words": ({"filters": [{**CHEAP, "value": "五百"}, LOCAL]}, 0.0),
    "a limit in quotes": ({"limit": "3"}, 0.0),
    "a limit with a fraction": ({"limit": 3.0}, 0.0),
    "another operator": ({"filters": [{**CHEAP, "operator": ">="}, LOCAL]}, 0.0),
    "a filter less": ({"filters": [CHEAP]}, 0.0),
    "a filter twice": ({"filters": [CHEAP, CHEAP]}, 0.0),
    "a filter more": ({"filters": [CHEAP, LOCAL, CHEAP]}, 0.0),
    "a filter without its value": ({"filters": [{"column": "售價", "operator": "<"}, LOCAL]}, 0.0),
    "a column more": ({"columns": ["商品", "售價", "庫存"]}, 0.0),
    "one column, not a list": ({"columns": "商品"}, 0.0),
    "sorted by the other first": ({"order_by": ["商品", "售價"]}, 0.0),
    "an aggregation nobody wanted": ({"aggregate": "count"}, 0.0),
}

same_value = typed_values.same_value


def as_text_too(value, wanted, schema=typed_values.UNKNOWN):
    """What is the same as text is the same."""
    return same_value(value, wanted, schema) or str(value) == str(wanted)


@case(
    "table question",
    {
        "every list is in order": change(typed_values, "_same_list", lambda v, w, s: v == w),
        "no list is in order": change(
            typed_values,
            "_same_list",
            lambda v, w, s: typed_values.all_paired(v, w, typed_values.same_value),
        ),
        "numbers may be texts": change(typed_values, "same_value", as_text_too),
        "every number may have a fraction": change(typed_values, "_may_be_number", lambda s: True),
    },
)
def test_arguments_of_a_query_are_right_in_type_and_value_in_any_order_of_a_set():
    asked = item(0, WANTED)

    found = {key: score(asked, said({**WANTED, **other})) for key, (other, _) in OTHERWISE.items()}

    assert found == {name: expected for name, (_, expected) in OTHERWISE.items()}


def score(asked: Item, text: str) -> float | None:
    return tool_calls.score(asked, Answer("x", text, len(text), stopped=True), tool_calls.Spec())


@pytest.mark.parametrize(
    "tool",
    [
        {"name": "query_table"},
        {"name": "query_table", "parameters": None},
        {"name": "query_table", "parameters": {"properties": {"columns": True}}},
        {"name": "another", "parameters": {"properties": PROPERTIES}},
    ],
)
def test_a_list_whose_schema_is_not_told_is_in_order(tool):
    schemas = typed_values.schemas_of([{"type": "function", "function": tool}], "query_table")
    columns = schemas.get("columns", typed_values.UNKNOWN)

    assert typed_values.same_value(["商品", "售價"], ["商品", "售價"], columns)
    assert not typed_values.same_value(["售價", "商品"], ["商品", "售價"], columns)


def test_mock_models_score_exactly_what_they_are_known_for(shop):
    """Of 40 table questions 8 are not for the table. One model turns every set around and is wrong
    on 10: 2 malformed, 5 with the number in words, 3 that ask the table in vain; one calls a
    query without reading the question."""
    shop.items = [item(n, None if n < 8 else WANTED if n % 2 else COUNT) for n in range(40)]

    def careful(asked: Item) -> str:
        n, calls = int(asked.example.id[1:]), asked.example.messages[-1].tool_calls
        if not calls:
            return said(COUNT) if n < 3 else asked.example.answer
        sets = {k: v[::-1] for k, v in calls[0].arguments.items() if k in ("columns", "filters")}
        if n < 10:
            return said({**calls[0].arguments, **sets})[:-30]
        if n < 15:
            sets["filters"] = [{**one, "value": "五百"} for one in sets["filters"]]
        return said({**calls[0].arguments, **sets})

    columns = [shop.column("base", lambda _: said(COUNT)), shop.column("tuned", careful)]
    report = shop.report(columns, evals=[shop.block("tool-calls")])

    names = ("", "-right-tool", "-malformed", "-abstention")
    found = {
        who: [shop.score(report, who, f"tool-calls{name}")["mean"] for name in names]
        for who in ("base", "tuned")
    }
    assert found["tuned"] == [30 / 40, 30 / 32, 2 / 40, 5 / 8]
    assert found["base"] == [16 / 40, 32 / 32, 0.0, 0.0]
