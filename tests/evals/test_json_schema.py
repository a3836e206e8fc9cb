"""Answers that must be JSON: validity, fields, fences and what is malformed."""

import pytest

from foundry.core.errors import RecipeError
from foundry.core.fields import Refused
from foundry.evals.answers import Answer, Item
from foundry.evals.evaluators import json_schema
from foundry.evals.metrics import metrics_of

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
SPEC = json_schema.Spec(json_schema=SCHEMA)
RIGHT = '{"name": "甲", "age": 3}'


def said(text: str) -> Answer:
    return Answer("x", text, len(text), stopped=True)


@pytest.fixture
def item(shop):
    return Item(shop.example("x", "甲 3 歲", RIGHT), "facts")


@pytest.mark.parametrize(
    "text",
    [
        RIGHT,
        f"  {RIGHT}\n",
        f"```json\n{RIGHT}\n```",
        f"```\n{RIGHT}\n```",
        f"以下是結果：\n```json\n{RIGHT}\n```\n謝謝。",
        '{"age":4,"name":""}',
    ],
)
def test_json_that_fits_is_valid(item, text):
    assert json_schema.score(item, said(text), SPEC) == 1.0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "甲三歲",
        '{"name": "甲", "age": 3',
        '{"name": "甲", "age": "3"}',
        '{"name": "甲"}',
        '{"name": "甲", "age": 3, "more": 1}',
        '{"name": "甲", "name": "乙", "age": 3}',
        '{"name": "甲", "age": NaN}',
        f"{RIGHT} 謝謝。",
        f"```json\n{RIGHT}\n```\n```json\n{RIGHT}\n```",
        "[" * 100_000,
    ],
)
def test_whatever_a_program_could_not_read_is_not_valid(item, text):
    assert json_schema.score(item, said(text), SPEC) == 0.0


@pytest.mark.parametrize(
    ("text", "right", "stated"),
    [
        (RIGHT, 2, 2),
        ('{"name": " 甲 ", "age": 3.0}', 2, 2),
        ('{"name": "甲", "age": "3"}', 1, 2),
        ('{"name": "甲", "age": true}', 1, 2),
        ('{"name": "乙", "age": 3, "more": [1, 2]}', 1, 4),
        ('{"name": {"first": "甲"}, "age": 3}', 1, 2),
        ('"甲"', 0, 1),
        ("{", 0, 0),
    ],
)
def test_fields_are_paths_with_values_of_their_type(item, text, right, stated):
    observe = json_schema.COMPANIONS[2].observe

    assert observe(item, said(text), SPEC) == {"wanted": 2, "said": stated, "right": right}


def test_mock_models_score_exactly_what_they_are_known_for(shop):
    """Of 40 answers 30 are right, 5 of those in a fence; 6 are malformed, 4 have a wrong field."""
    shop.items = [
        Item(shop.example(f"j{n:02}", f"第{n}筆", f'{{"name": "n{n}", "age": {n}}}'), "facts")
        for n in range(40)
    ]
    place = {item.example.id: n for n, item in enumerate(shop.items)}

    def says(item):
        n, right = place[item.example.id], item.example.answer
        if n < 30:
            return f"```json\n{right}\n```" if n < 5 else right
        return right[:-1] if n < 36 else f'{{"name": "?", "age": {n}}}'

    report = shop.report(
        [shop.column("base", lambda _: "不知道"), shop.column("tuned", says)],
        evals=[shop.block("json-schema", json_schema=SCHEMA)],
    )

    found = {m["name"]: shop.score(report, "tuned", m["name"])["mean"] for m in report["metrics"]}
    assert found == {
        "json-schema": 34 / 40,
        "json-schema-parse-rate": 34 / 40,
        "json-schema-fenced": 5 / 40,
        "json-schema-field-f1": round(2 * 64 / (68 + 80), 6),
        "json-schema-field-precision": round(64 / 68, 6),
        "json-schema-field-recall": 64 / 80,
    }
    assert shop.score(report, "base", "json-schema-field-f1")["mean"] == 0.0


def test_a_schema_that_is_none_is_refused():
    with pytest.raises((Refused, ValueError), match="no-such-type"):
        json_schema.Spec(json_schema={"type": "no-such-type"})


def test_a_reference_that_does_not_fit_the_schema_is_refused(shop):
    bad = Item(shop.example("x", "問", '{"name": "甲"}'), "facts")
    block = shop.block("json-schema", json_schema=SCHEMA)

    with pytest.raises(RecipeError, match=r"1 test rows do not fit the schema .*shop\.csv:2"):
        metrics_of([block], [bad])
