"""Loops at the end of an answer are found, and nothing else is taken for one."""

import random
from itertools import product

import pytest

from foundry.evals.answers import Answer
from foundry.evals.evaluators import repetition
from foundry.evals.evaluators.repetition import looped
from foundry.evals.units import units

SPEC = repetition.Spec()


def said(text: str) -> Answer:
    return Answer("x", text, len(text), stopped=False)


@pytest.mark.parametrize(
    ("text", "units_in_loop"),
    [
        ("保固兩年，保固兩年，保固兩年。", 12),
        ("售價95元。我不知道，我不知道，我不知道，我不", 14),  # cut off in the phrase
        ("的的的的的的", 6),
        ("I do not know. I do not know. I do not know.", 12),
        ("好👍👍👍👍👍👍", 6),
        ("１２元 12元 12 元", 6),
    ],
)
def test_a_phrase_said_three_times_at_the_end_is_a_loop(shop, text, units_in_loop):
    assert looped(units(text), times=3, length=2) == units_in_loop
    assert repetition.score(shop.facts[0], said(text), SPEC) == 0.0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "謝謝您，謝謝您",
        "哈哈哈",
        "售價1000000000元，電話0800-000-000",
        "保固兩年保固兩年保固兩年，詳見說明書",
        "1. 是\n2. 否\n3. 是\n4. 否\n5. 是",
        "1. 紅色\n2. 紅色\n3.5公斤",
        "……………………",
        "|---|---|---|",
    ],
)
def test_what_people_write_is_no_loop(shop, text):
    assert repetition.score(shop.facts[0], said(text), SPEC) == 1.0


def test_one_line_under_ever_new_numbers_is_a_loop(shop):
    """As gemma-3-270m writes before it is trained, cut off by the limit."""
    text = "1. 開創\n2. 地理位置與交通\n3. 地理位置與交通\n4. 地理位置與交通\n5."

    assert repetition.score(shop.facts[0], said(text), SPEC) == 0.0
    assert repetition.looped_share(shop.facts[0], said(text), SPEC) == 21 / 23


def test_what_a_loop_is_can_be_set(shop):
    spec = repetition.Spec(times=2, length=3)

    assert repetition.score(shop.facts[0], said("謝謝您，謝謝您"), spec) == 0.0
    assert repetition.score(shop.facts[0], said("您好，您好"), spec) == 1.0


def test_the_shares_say_how_much_is_repeated(shop):
    item, text = shop.facts[0], "甲乙丙丁甲乙丙丁甲乙丙丁"

    assert repetition.repeated_runs(item, said(text), SPEC) == 1 - 4 / 9  # 9 runs, 4 unlike
    assert repetition.looped_share(item, said(f"售價是零{text}"), SPEC) == 12 / 16
    assert repetition.repeated_runs(item, said(""), SPEC) == 0.0
    assert repetition.looped_share(item, said(""), SPEC) == 0.0


def test_a_loop_of_a_hundred_thousand_units_is_measured(shop):
    assert looped(units("甲乙丙" * 33_333), times=3, length=2) == 99_999


def test_the_loop_is_the_longest_end_with_one_period():
    """Against the definition, tried for every end and every period."""
    draw = random.Random(11)
    every = ["".join(letters) for letters in product("甲乙丙", repeat=7)]
    cycles = ("".join(draw.choices("甲乙", k=draw.randint(3, 8))) for _ in range(200))
    every += ["丙" + cycle * 4 + cycle[: draw.randint(0, 7)] for cycle in cycles]

    assert [t for t in every if looped(t, times=3, length=2) != by_definition(t)] == []


def by_definition(text: str) -> int:
    return max(
        (
            size
            for size in range(6, len(text) + 1)
            for period in range(1, size // 3 + 1)
            if text[-size:][period:] == text[-size:][:-period] and size >= 3 * max(period, 2)
        ),
        default=0,
    )


def test_a_model_that_loops_on_10_of_40_scores_three_quarters(shop):
    good = {item.example.id for item in shop.facts[:30]}
    columns = [
        shop.column("base", lambda item: ("我" * 64, False)),
        shop.column(
            "tuned",
            lambda i: i.example.answer if i.example.id in good else (i.example.answer * 4, False),
        ),
    ]

    report = shop.report(columns, evals=[shop.block("repetition", parts=["facts"])])

    assert shop.score(report, "tuned", "repetition")["mean"] == 0.75
    assert shop.score(report, "base", "repetition")["mean"] == 0.0
    assert shop.score(report, "tuned", "looped-share")["mean"] == 0.25
    assert shop.score(report, "base", "looped-share")["mean"] == 1.0
    assert shop.score(report, "base", "repeated-runs")["mean"] == round(60 / 61, 6)
