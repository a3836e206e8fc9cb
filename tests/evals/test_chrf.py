"""chrF: sacrebleu's value for every text, and the known score of a mock model."""

import random
from collections import Counter

import pytest
from sacrebleu.metrics.chrf import CHRF

from foundry.evals.answers import Answer, Item
from foundry.evals.evaluators import chrf

LETTERS = "甲乙丙 丁aB。，1２ \n👍"


@pytest.fixture
def scored(shop):
    def score(text: str, reference: str) -> float | None:
        item = Item(shop.example("x", "問", reference), "facts")
        return chrf.score(item, Answer("x", text, len(text), True), chrf.Spec())

    return score


def pairs() -> list[tuple[str, str]]:
    draw = random.Random(3)
    return [
        tuple("".join(draw.choices(LETTERS, k=draw.randint(0, 40))) for _ in range(2))
        for _ in range(300)
    ]


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("售價100元。", "售價100元。"),
        ("售價 100 元", "售價100元。"),
        ("the cat sat on the mat", "The cat is on the mat."),
        ("甲", "甲乙丙丁戊己庚辛"),
        ("甲乙丙丁戊己庚辛", "甲"),
        ("", "甲"),
        ("👍👍", "👍"),
        ("甲" * 5000, "甲乙" * 50),
    ],
)
def test_an_answer_scores_as_sacrebleu_scores_it(scored, text, reference):
    expected = CHRF().sentence_score(text, [reference]).score / 100

    assert scored(text, reference) == pytest.approx(expected, abs=1e-12)


def test_random_answers_score_as_sacrebleu_scores_them(scored):
    metric = CHRF()
    for text, reference in pairs():
        expected = metric.sentence_score(text, [reference]).score / 100

        assert scored(text, reference) == pytest.approx(expected, abs=1e-12)


def test_summed_counts_give_sacrebleus_score_of_the_set(shop):
    texts, references = zip(*pairs(), strict=True)
    expected = CHRF().corpus_score(list(texts), [list(references)]).score / 100

    sums: Counter[str] = Counter()
    for text, reference in pairs():
        item = Item(shop.example("x", "問", reference), "facts")
        sums.update(chrf.set_counts(item, Answer("x", text, len(text), True), chrf.Spec()))

    assert chrf.set_score(sums) == pytest.approx(expected, abs=1e-12)


def test_a_model_that_gives_30_of_40_references_scores_three_quarters(shop):
    good = {item.example.id for item in shop.facts[:30]}
    columns = [
        shop.column("base", lambda item: ""),
        shop.column("tuned", lambda i: i.example.answer if i.example.id in good else "貓"),
    ]

    report = shop.report(columns, evals=[shop.block("chrf", parts=["facts"])])

    assert shop.score(report, "tuned", "chrf")["mean"] == 0.75
    assert shop.score(report, "base", "chrf")["mean"] == 0.0


def test_a_long_answer_weighs_more_in_the_score_of_the_set(shop):
    """39 of 40 give the reference, 7 characters each; one says 300 others."""
    short = {item.example.id for item in shop.facts[1:]}
    columns = [
        shop.column("base", lambda item: ""),
        shop.column("tuned", lambda i: i.example.answer if i.example.id in short else "貓" * 300),
    ]

    report = shop.report(columns, evals=[shop.block("chrf", parts=["facts"])])

    right = [39 * (8 - length) for length in range(1, 7)]
    said = [39 * (8 - length) + 301 - length for length in range(1, 7)]
    precision = sum(r / s for r, s in zip(right, said, strict=True)) / 6
    recall = 39 / 40
    expected = 5 * precision * recall / (4 * precision + recall)
    assert shop.score(report, "tuned", "chrf")["mean"] == 39 / 40
    assert shop.score(report, "tuned", "chrf-of-the-set")["mean"] == round(expected, 6)
