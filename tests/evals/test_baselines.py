"""Baselines answer without a model, and the same way every time."""

import pytest

from foundry.evals.answers import Item
from foundry.evals.baselines import most_frequent_answer, nearest_question


@pytest.fixture
def train(shop):
    rows = [
        ("c", "鍋子的保固多久？", "兩年。"),
        ("a", "運費多少錢？", "95元。"),
        ("d", "可以退貨嗎？", "可以。"),
        ("b", "離島運費多少錢？", "95元。"),
        ("e", "可以換貨嗎？", "可以。"),
    ]
    return [shop.example(key, question, answer) for key, question, answer in rows]


@pytest.fixture
def ask(shop):
    return lambda question: [Item(shop.example("x", question, ""), "test")]


def test_most_frequent_answer_takes_the_smallest_id_of_equals(train, ask):
    column = most_frequent_answer(train, ask("隨便問"))

    assert column.answers["x"].text == "95元。"  # as often as 可以。, but id a


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("請問鍋子保固有多久", "兩年。"),
        ("我想退貨可以嗎", "可以。"),
        ("離島的運費要多少", "95元。"),
    ],
)
def test_nearest_question_copies_the_likest_row(train, ask, question, answer):
    assert nearest_question(train, ask(question)).answers["x"].text == answer


def test_nearest_question_does_not_look_at_the_context(train, ask):
    asked = ask("鍋子 保固 鍋子的保固多久\n\n運費多少錢？")

    assert nearest_question(train, asked).answers["x"].text == "95元。"


def test_a_tie_goes_to_the_smallest_id_whatever_the_order(shop, ask):
    rows = [shop.example(key, "運費多少錢？", f"{key}。") for key in "cab"]

    texts = {
        nearest_question(order, ask("運費多少錢？")).answers["x"].text
        for order in (rows, rows[::-1])
    }

    assert texts == {"a。"}


def test_a_question_like_none_still_gets_an_answer(train, ask):
    assert nearest_question(train, ask("zzz")).answers["x"].text == "95元。"


def test_baselines_have_no_settings_of_a_model(train, ask):
    columns = [most_frequent_answer(train, ask("x")), nearest_question(train, ask("x"))]

    assert [column.settings for column in columns] == [{}, {}]
