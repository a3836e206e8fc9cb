"""ROUGE over characters: by the definition, on texts a person can count."""

import random

import pytest

from foundry.evals.answers import Answer, Item
from foundry.evals.evaluators import rouge_characters as rouge

SPEC = rouge.Spec()


@pytest.fixture
def scored(shop):
    def score(text: str, reference: str, measure=rouge.score) -> float | None:
        item = Item(shop.example("x", "問", reference), "facts")
        return measure(item, Answer("x", text, len(text), True), SPEC)

    return score


@pytest.mark.parametrize(
    ("text", "reference", "expected"),
    [
        ("甲乙丙丁", "甲乙丙丁", 1.0),
        ("甲丙乙丁", "甲乙丙丁", 2 * 3 / 8),  # 甲乙丁 or 甲丙丁 stands in order
        ("丁丙乙甲", "甲乙丙丁", 2 * 1 / 8),
        ("甲乙", "甲乙丙丁", 2 * 2 / 6),
        ("貓", "甲乙丙丁", 0.0),
        ("", "甲乙丙丁", 0.0),
        ("。。", "！", 1.0),  # neither says anything
        ("police killed the gunman", "police kill the gunman", 2 * 3 / 8),
        ("用 USB 線充電", "用ＵＳＢ線充電。", 1.0),
        ("👍" * 3, "👍", 2 * 1 / 4),
    ],
)
def test_rouge_l_is_the_f1_of_the_longest_common_subsequence(scored, text, reference, expected):
    assert scored(text, reference) == expected


def test_rouge_1_counts_units_and_rouge_2_pairs(scored):
    text, reference = "甲丙乙丁", "甲乙丙丁"

    assert scored(text, reference, rouge.rouge_1) == 1.0
    assert scored(text, reference, rouge.rouge_2) == 0.0
    assert scored("甲乙丙丙", reference, rouge.rouge_2) == 2 * 2 / 6


def test_a_repeated_unit_counts_as_often_as_the_reference_has_it(scored):
    assert scored("甲甲甲", "甲乙", rouge.rouge_1) == 2 * 1 / 5


def test_a_reference_without_a_pair_has_no_rouge_2(scored):
    assert scored("甲乙", "甲", rouge.rouge_2) is None


def test_the_common_length_is_that_of_the_table_that_defines_it():
    draw = random.Random(5)
    for _ in range(50):
        a, b = ("".join(draw.choices("甲乙丙", k=draw.randint(0, 90))) for _ in range(2))

        assert rouge.common_length(a, b) == _by_table(a, b)


def _by_table(a: str, b: str) -> int:
    row = [0] * (len(b) + 1)
    for one in a:
        above, row = row, [0]
        for j, other in enumerate(b):
            row.append(above[j] + 1 if one == other else max(above[j + 1], row[j]))
    return row[-1]


def test_a_very_long_answer_is_scored(scored):
    assert scored("甲乙" * 10_000, "甲乙") == 2 * 2 / (20_000 + 2)


def test_a_model_right_on_30_of_40_and_half_on_the_others_scores_that(shop):
    good = {item.example.id for item in shop.facts[:30]}
    columns = [
        shop.column("base", lambda item: "貓"),
        shop.column("tuned", lambda i: i.example.answer if i.example.id in good else "售價貓貓"),
    ]

    report = shop.report(columns, evals=[shop.block("rouge-characters", parts=["facts"])])

    assert shop.score(report, "tuned", "rouge-characters-1")["mean"] == (30 + 10 * 0.5) / 40
    assert shop.score(report, "tuned", "rouge-characters-2")["mean"] == round(
        (30 + 10 * 2 * 1 / (3 + 3)) / 40, 6
    )
    # 售價 stands in both 售價貓貓 and 售價100元: 2 * 2 / (4 + 4)
    assert shop.score(report, "tuned", "rouge-characters")["mean"] == (30 + 10 * 0.5) / 40
    assert shop.score(report, "base", "rouge-characters")["mean"] == 0.0
