"""SQuAD's two scores, and likelihoods: exactly what is known of mock answers."""

import json
import math

import pytest

from foundry.core.records import Example, Turn
from foundry.evals.answers import Answer, Item
from foundry.evals.evaluators import likelihood, squad

SPEC = squad.Spec()


def scores(said: str, *references: str) -> tuple[float | None, float | None]:
    turns = Turn("user", "多少？"), Turn("assistant", references[0])
    fields = {"answers": json.dumps(references, ensure_ascii=False)}
    item = Item(Example("a", turns, "a.json", 1, "a", fields), "test")
    answer = Answer("a", said, len(said), stopped=True)
    return squad.score(item, answer, SPEC), squad.overlap(item, answer, SPEC)


@pytest.mark.parametrize(
    ("said", "references", "expected"),
    [
        ("歐洲", ("歐洲",), (1, 1)),
        ("「歐洲」。", ("歐洲",), (1, 1)),  # punctuation does not count
        ("ＣＤ 12", ("cd12",), (1, 1)),  # width, case, white space
        ("The Beatles", ("beatles",), (1, 1)),  # articles
        ("3元", ("三元", "3元"), (1, 1)),  # any of the references
        ("在歐洲", ("歐洲",), (0, 2 * 2 / 5)),
        ("歐", ("歐洲", "歐"), (1, 1)),
        ("亞洲", ("歐洲",), (0, 0.5)),
        ("", ("歐洲",), (0, 0)),
        ("$50", ("50",), (1, 1)),  # every sign that SQuAD's own script takes away
        ("a + b = c", ("b c",), (1, 1)),
        ("1914～1918年", ("1914-1918年",), (1, 1)),
        ("1914～1919年", ("1914-1918年",), (0, 2 / 3)),
        ("1,000", ("1000",), (1, 1)),
        ("歐歐", ("歐洲",), (0, 0.5)),  # a character counts as often as it occurs
        # Words, where there are spaces between them: the letters of these are the same.
        ("a dog", ("god",), (0, 0)),
        ("Denver Broncos", ("the Denver team",), (0, 0.5)),
        ("don't know", ("dont",), (0, 2 / 3)),
        ("在 Denver 隊", ("Denver隊",), (0, 2 * 2 / 5)),
        ("1945年", ("1954年",), (0, 0.5)),  # a number is right or wrong
    ],
)
def test_answer_is_compared_as_squad_does(said: str, references: tuple[str, ...], expected):
    assert scores(said, *references) == pytest.approx(expected)


def test_other_parts_are_not_scored():
    turns = Turn("user", "多少？"), Turn("assistant", "三")
    item = Item(Example("a", turns, "a.json", 1, "a"), "train")

    assert squad.score(item, Answer("a", "三", 1, True), squad.Spec(parts=["test"])) is None
    assert squad.score(item, Answer("a", "三", 1, True), SPEC) == 1  # the answer alone


def text_item(text: str) -> Item:
    return Item(Example("a", (), "a.txt", 1, "a", text=text), "test")


def test_likelihood_is_per_byte_and_per_token():
    spec = likelihood.Spec()
    item, answer = (
        text_item("字a"),
        Answer("a", "", 2, True, logprobs=(-8.0,)),
    )  # four bytes, two tokens

    assert likelihood.score(item, answer, spec) == pytest.approx(math.exp(-2))
    counts = likelihood.observe(item, answer, spec)
    assert likelihood.per_byte(counts) == pytest.approx(math.exp(-2))
    assert likelihood.per_token(counts) == pytest.approx(math.exp(-4))


def test_likelihood_of_all_texts_is_not_the_mean_of_each():
    spec = likelihood.Spec()
    pairs = [("a", -1.0), ("a" * 9, -18.0)]
    counts = [
        likelihood.observe(text_item(text), Answer("a", "", 1, True, logprobs=(nats,)), spec)
        for text, nats in pairs
    ]

    sums = {key: sum(count[key] for count in counts) for key in counts[0]}

    assert likelihood.per_byte(sums) == pytest.approx(math.exp(-1.9))


def test_likelihood_applies_to_texts_alone():
    turns = Turn("user", "多少？"), Turn("assistant", "三")
    item = Item(Example("a", turns, "a.json", 1, "a"), "test")

    assert likelihood.score(item, Answer("a", "三", 1, True), likelihood.Spec()) is None
