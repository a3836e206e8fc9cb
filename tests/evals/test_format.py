"""Checks of form hold exactly where their rule says, and are counted answer by answer."""

import json

import pytest

from foundry.core.errors import RecipeError
from foundry.evals.answers import Answer, Item
from foundry.evals.checks import Checks, kept, sentences
from foundry.evals.evaluators import format as form

HOLDS = [
    ("characters", {"max": 5}, "售價 1 元。"),
    ("characters", {"min": 4, "max": 4}, "１ ２\n３\t４"),
    ("characters", {"min": 3}, "👍👍👍"),
    ("words", {"min": 4, "max": 4}, "the red cat, sat."),
    ("words", {"max": 3}, "USB線長"),
    ("sentences", {"min": 2, "max": 2}, "有貨。明天寄出！"),
    ("sentences", {"max": 1}, "重3.5公斤，售價1,280元"),
    ("paragraphs", {"min": 2, "max": 2}, "一\n\n \n二"),
    ("bullets", {"min": 3, "max": 3}, "有：\n- 紅\n• 綠\n2. 藍\n3.5公斤\n-5度"),
    ("bullets", {"min": 2, "max": 2}, "一、紅\n（二）綠"),
    ("contains", ["保固", "usb"], "保固兩年，附ＵＳＢ線"),
    ("excludes", ["抱歉"], "有貨"),
    ("keywords", {"保固": {"min": 2}, "抱歉": {"max": 0}}, "保固兩年，保固書在盒裡"),
    ("starts_with", "您好", "\n您好，有貨"),
    ("ends_with", "謝謝。", "有貨，謝謝。 "),
    ("json_only", True, ' {"價格": 100}\n'),
    ("json_only", True, "[1, 2]"),
    ("no_markdown", True, "1. 紅\n2. 綠\n3 * 4 = 12，snake_case_name，a_b"),
    ("language", "zh-TW", "售價是 NT$100，附 USB 線"),
    ("language", "en", "It costs 100."),
]
BROKEN = [
    ("characters", {"max": 4}, "售價1元。"),
    ("characters", {"min": 1}, " \n"),
    ("words", {"max": 2}, "USB線長"),
    ("sentences", {"max": 1}, "It is here. We ship it."),
    ("paragraphs", {"min": 2}, "一\n二"),
    ("bullets", {"min": 1}, "3.5公斤\n-5度\n**粗**"),
    ("contains", ["保固", "兩年"], "保固一年"),
    ("excludes", ["抱歉"], "很抱歉"),
    ("keywords", {"保固": {"min": 2}}, "保固"),
    ("keywords", {"保固": {"max": 1}}, "保固保固"),
    ("starts_with", "您好", "有貨，您好"),
    ("ends_with", "謝謝", "謝謝。"),
    ("json_only", True, '```json\n{"價格": 100}\n```'),
    ("json_only", True, '{"價格": 100} 以上'),
    ("json_only", True, '{"價格": NaN}'),
    ("json_only", True, '{"價格": 1, "價格": 2}'),
    ("json_only", True, "100"),
    ("no_markdown", True, "售價 **100** 元"),
    ("no_markdown", True, "# 售價"),
    ("no_markdown", True, "有：\n- 紅"),
    ("no_markdown", True, "| 色 | 價 |"),
    ("no_markdown", True, "見[官網](https://a.tw)"),
    ("no_markdown", True, "執行 `foundry`"),
    ("language", "zh-TW", "It costs 100."),
    ("language", "zh-TW", "这个100元"),
    ("language", "en", "售價100元"),
]


@pytest.mark.parametrize(("name", "wanted", "text"), HOLDS)
def test_a_check_holds(name, wanted, text):
    assert kept(text, Checks.model_validate({name: wanted})) == {name: True}


@pytest.mark.parametrize(("name", "wanted", "text"), BROKEN)
def test_a_check_is_broken(name, wanted, text):
    assert kept(text, Checks.model_validate({name: wanted})) == {name: False}


def test_an_empty_answer_keeps_no_check():
    checks = Checks.model_validate({"excludes": ["抱歉"], "no_markdown": True})

    assert kept("", checks) == {"excludes": False, "no_markdown": False}


def test_every_check_has_a_case_of_each_kind_and_a_name():
    every = set(Checks.model_fields)

    assert every == {name for name, *_ in HOLDS} == {name for name, *_ in BROKEN} == {*form.NAMES}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0),
        ("好", 1),
        ("他說：「好。」走了。", 2),
        ("一\n二", 2),
        ("好……嗎？？！", 1),
        ("！", 0),
    ],
)
def test_a_sentence_says_something_and_ends(text, expected):
    assert sentences(text) == expected


def test_a_very_long_answer_is_checked():
    checks = Checks.model_validate({"characters": {"max": 50}, "no_markdown": True})

    assert kept("* " + "a" * 200_000, checks) == {"characters": False, "no_markdown": False}
    assert kept("__" * 20_000 + "[" * 20_000, checks)["characters"] is False


SPEC = form.Spec(checks=Checks.model_validate({"characters": {"max": 10}}), column="要求")


def asked(shop, own: str) -> Item:
    return Item(shop.example("x", "問", "答", 要求=own), "facts")


def said(text: str) -> Answer:
    return Answer("x", text, len(text), True)


def test_a_rows_own_checks_win_over_the_recipes(shop):
    own = asked(shop, '{"characters": {"max": 20}, "contains": ["元"]}')

    assert form.score(own, said("售價一百二十三元整，含稅"), SPEC) == 1.0
    assert form.score(asked(shop, ""), said("售價一百二十三元整，含稅"), SPEC) == 0.0


def test_a_row_without_any_check_has_no_score(shop):
    assert form.score(asked(shop, ""), said("好"), form.Spec(column="要求")) is None


def test_a_recipe_that_checks_nothing_is_refused():
    with pytest.raises(ValueError, match="nothing is to be checked"):
        form.Spec()


@pytest.mark.parametrize("wrong", [{"min": 3, "max": 2}, {}])
def test_an_impossible_range_is_refused(wrong):
    with pytest.raises(ValueError, match=r"`min` is more than `max`|the range has no end"):
        form.Spec(checks=Checks.model_validate({"characters": wrong}))


def test_every_row_whose_checks_cannot_be_read_is_named(shop):
    rows = [asked(shop, text) for text in ("{", "[]", '{"karacters": {"max": 2}}', "", "{}")]

    with pytest.raises(RecipeError) as refused:
        form.settle(rows, SPEC)

    said_wrong = [problem.what for problem in refused.value.problems]
    assert said_wrong[:2] == ["the checks are no JSON object"] * 2
    assert said_wrong[2].startswith("karacters: ")
    assert len(said_wrong) == 3
    assert refused.value.problems[0].where == "shop.csv:2: 要求"


def test_a_model_that_keeps_30_of_40_scores_that_and_its_single_checks(shop):
    """30 answers keep both rules, the others one of two."""
    good = {item.example.id for item in shop.facts[:30]}
    columns = [
        shop.column("base", lambda item: ""),
        shop.column("tuned", lambda i: "售價一元" if i.example.id in good else "一元" * 20),
    ]
    checks = Checks.model_validate({"characters": {"max": 10}, "contains": ["元"]})
    block = shop.block("format", checks=json.loads(checks.model_dump_json(exclude_defaults=True)))

    report = shop.report(columns, evals=[block])

    assert shop.score(report, "tuned", "format")["mean"] == 0.75
    assert shop.score(report, "base", "format")["mean"] == 0.0
    assert shop.score(report, "tuned", "format-single-checks")["mean"] == (30 * 2 + 10) / 80
    (table,) = [t for t in report["tables"] if (t["column"], t["part"]) == ("tuned", "facts")]
    assert [row[1:] for row in table["rows"]] == [[40, 30], [40, 40]]
