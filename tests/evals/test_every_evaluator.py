"""What holds for every evaluator, each found by the look-up that the product uses."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from foundry.core import plugins
from foundry.core.blocks import Block
from foundry.core.records import Example, ToolCall, Turn
from foundry.data.canaries import Canaries, canary_rows
from foundry.evals.answers import Answer, Column, Item
from foundry.evals.brought import brought_by
from foundry.evals.companions import PooledCompanion
from foundry.evals.compare import to_plain
from foundry.evals.judgement import Judgement
from foundry.evals.metrics import metrics_of
from foundry.evals.scoring import score_all
from foundry.evals.tables import tables_of

TOOLS = ({"type": "function", "function": {"name": "lookup", "parameters": {"type": "object"}}},)
KINDS = plugins.names("evaluator")
HAN = re.compile(r"[\u4e00-\u9fff]")
ANSWERS = [
    "",
    " ",
    "售價100元。",
    "很抱歉，不在服務範圍。",
    "A",
    "A B C D",
    '{"a": 1}',
    "```json\n{",
    "<tool_call>\n{",
    "第十二條",
    "哈" * 400,
    "\u202e\x00\ud800",
]

ASKED = {
    "format": {"checks": {"characters": {"max": 10}, "no_markdown": True}},
    "judge": {"base_url": "http://127.0.0.1:9/v1"},
}
"""What an evaluator asks for though no key of its `Spec` is required."""


def block(kind: str) -> Block:
    """The evaluator with the least that its `Spec` asks for."""
    spec = plugins.load("evaluator", kind).Spec
    needed = {name: field.annotation for name, field in spec.model_fields.items()}
    given: dict[str, Any] = {
        name: "應含" if annotation is str else ["不在服務範圍"]
        for name, annotation in needed.items()
        if spec.model_fields[name].is_required()
    }
    if "part" in given:
        given["part"] = "outside"
    given |= ASKED.get(kind, {})
    return Block(kind=kind, spec=spec.model_validate(given))


def companions(kind: str) -> tuple[Any, ...]:
    """The further metrics of an evaluator."""
    return tuple(plugins.optional(plugins.load("evaluator", kind), "COMPANIONS") or ())


@pytest.fixture(scope="module")
def items(unchanged_shop) -> list[Item]:
    """The shop's questions, one item of each kind that some evaluator is made for, and those that
    evaluators bring.
    """
    say = unchanged_shop.example
    call = (ToolCall("lookup", {"city": "臺北"}),)
    asked = Turn("user", "天氣？"), Turn("assistant", "", tool_calls=call)
    special = [
        say("choice", "首都？\nA. 臺北\nB. 東京", "A"),
        say("json", "甲 3 歲", '{"name": "甲", "age": 3}'),
        say("law", "依據？", "依民法第12條。"),
        Example("text", (), "t.txt", 1, "text", text="臺灣的夏天很熱。"),
        Example("tool", asked, "t.jsonl", 1, "tool", tools=TOOLS),
        replace(say("pair", "產地？", "日本。"), rejected=Turn("assistant", "不知道，請洽門市。")),
    ]
    own = [*unchanged_shop.items, *(Item(example, "facts") for example in special)]
    learned = [say("row", "問", "甲乙丙丁戊己庚辛壬癸子丑寅卯辰巳午未申酉戌亥")]
    train = [*learned, *canary_rows(Canaries(2, 1, 0), learned[0])]
    brought = brought_by([block(kind) for kind in KINDS], train)
    return [*own, *(item for one in brought for item in one.items)]


def test_all_evaluators_are_found():
    known = {"required-facts", "exact-match", "character-f1", "stop-rate", "declines"}

    assert known <= {*KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_it_says_what_it_measures_in_both_languages(kind):
    module = plugins.load("evaluator", kind)
    texts = [module.TITLE, module.EXPLAIN]
    texts += [text for one in companions(kind) for text in (one.title, one.explain)]

    assert isinstance(module.version, int) and module.version >= 1
    for text in texts:
        assert {*text} == {"en", "zh-TW"}
        assert HAN.search(text["zh-TW"]) and not HAN.search(text["en"])


@pytest.mark.parametrize("kind", KINDS)
def test_its_settings_are_closed_and_explained(kind):
    spec = plugins.load("evaluator", kind).Spec

    assert spec.model_config["extra"] == "forbid"
    assert all(field.description for field in spec.model_fields.values())


def test_no_two_metrics_have_one_name():
    names = [*KINDS, *(one.name for kind in KINDS for one in companions(kind))]

    assert len(names) == len({*names})


def answered(items: list[Item], text: str) -> Column:
    """A model that says one thing to everything, which a judge prefers when it reads it first."""
    judged = Judgement("win", "loss", people="win", as_people="tie")
    more = {"judgement": judged, "logprobs": (-1.0, -2.0, -0.5)}
    more["scores"] = {"better": 0.5, "worse": -0.5}
    answers = {
        i.example.id: Answer(i.example.id, text, len(text), bool(text), **more) for i in items
    }
    return Column("tuned", {"en": "x", "zh-TW": "x"}, {}, answers)


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_was_said_its_numbers_lie_between_nought_and_one(kind, items):
    metrics = metrics_of([block(kind)], items)
    columns = [replace(answered(items, text), name=str(n)) for n, text in enumerate(ANSWERS)]

    scores = score_all(items, columns, metrics, naive=(), seed=0)  # refuses what is out of range

    for metric in metrics:
        found = [scores.mean(metric.name, None, column.name) for column in columns]
        assert all(number is None or 0 <= number <= 1 for number in found)
    assert any(scores.mean(kind, None, column.name) is not None for column in columns)


@pytest.mark.parametrize("kind", KINDS)
def test_a_pooled_number_is_one_even_where_nothing_was_counted(kind):
    for one in companions(kind):
        if isinstance(one, PooledCompanion):
            assert 0 <= one.statistic({}) <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_whether_it_applies_is_a_property_of_the_item(kind, items):
    metrics = metrics_of([block(kind)], items)
    main = metrics[0].aggregate

    for item in items:
        answers = (answered([item], text).answers[item.example.id] for text in ANSWERS)
        assert len({main.observe(item, answer) is None for answer in answers}) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_its_tables_are_plain_and_whole(kind, items):
    columns = [replace(answered(items, text), name=str(n)) for n, text in enumerate(ANSWERS)]
    scores = score_all(items, columns, metrics_of([block(kind)], items), naive=(), seed=0)

    for table in tables_of(scores, columns):
        assert all(len(row) == len(table["heads"]) for row in table["rows"])
        json.dumps(to_plain(table), allow_nan=False)
        for text in (table["title"], table["explain"]):
            assert {*text} == {"en", "zh-TW"}
