"""One label is read from an answer, and accuracy, macro F1 and confusions are exact."""

import pytest

from foundry.core.errors import RecipeError
from foundry.evals.answers import Item
from foundry.evals.evaluators import classification
from foundry.evals.metrics import metrics_of
from foundry.evals.naming import named_in

LABELS = ("card_arrival", "lost_card", "arrival", "相關", "不相關")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("card_arrival", ("card_arrival",)),
        ("Card arrival.", ("card_arrival",)),
        ("ｃａｒｄ＿ａｒｒｉｖａｌ", ("card_arrival",)),
        ("The intent is `card_arrival`.", ("card_arrival",)),
        ("card_arrival card_arrival", ("card_arrival",)),
        ("discard_arrival", ("arrival",)),
        ("cardarrival", ()),
        ("card_arrival, lost_card", ("card_arrival", "lost_card")),
        ("這則是不相關", ("不相關",)),
        ("相關", ("相關",)),
        ("相關，不相關", ("相關", "不相關")),
        ("", ()),
    ],
)
def test_a_label_is_named_as_a_whole(text, named):
    assert named_in(text, LABELS) == named


@pytest.fixture
def messages(shop):
    """20 of `a`, 15 of `b`, 5 of `c`, each its own group."""
    labels = ["a label"] * 20 + ["b label"] * 15 + ["c label"] * 5
    shop.items = [
        Item(shop.example(f"m{n:02}", f"第{n}則", label), "facts") for n, label in enumerate(labels)
    ]
    return shop


def says(messages, first: int, then: str):
    right = {item.example.id for item in messages.items[:first]}
    return lambda item: item.example.answer if item.example.id in right else then


def report_on(messages, says_tuned, **spec):
    columns = [
        messages.column("base", lambda item: "b label"),
        messages.column("tuned", says_tuned),
    ]
    return messages.report(columns, evals=[messages.block("classification", **spec)])


def test_thirty_of_forty_right_scores_exactly_that(messages):
    report = report_on(messages, says(messages, 30, "a label"))

    # a: 20 of 20 right, said 30 times; b: 10 of 15, said 10; c: none.
    macro = (2 * 20 / 50 + 2 * 10 / 25 + 0) / 3
    assert messages.score(report, "tuned", "classification")["mean"] == 0.75
    assert messages.score(report, "tuned", "classification-macro-f1")["mean"] == round(macro, 6)
    assert messages.score(report, "tuned", "classification-parse-rate")["mean"] == 1.0
    found = messages.score(report, "tuned", "classification-macro-f1")
    assert found["low"] < macro < found["high"]


def test_an_answer_that_names_none_or_all_is_wrong_and_unparsed(messages):
    for nothing in ("不知道", "a label, b label, c label"):
        report = report_on(messages, says(messages, 30, nothing))

        assert messages.score(report, "tuned", "classification")["mean"] == 0.75
        assert messages.score(report, "tuned", "classification-parse-rate")["mean"] == 0.75


def test_one_label_for_everything_has_the_f1_of_that_label_alone(messages):
    report = report_on(messages, says(messages, 40, ""))

    found = messages.score(report, "base", "classification-macro-f1")["mean"]
    assert found == round(2 * 15 / 55 / 3, 6)


def test_a_better_macro_f1_is_found_better(messages):
    report = report_on(messages, says(messages, 38, "a label"))

    (found,) = [d for d in report["differences"] if d["metric"] == "classification-macro-f1"]
    assert (found["verdict"], found["n"]) == ("BETTER", 40)


def test_the_tables_hold_every_answer(messages):
    report = report_on(messages, says(messages, 30, "a label"))

    grid, by_label = [t for t in report["tables"] if t["column"] == "tuned"]
    assert grid["rows"] == [
        ["a label", 20, 0, 0, 0],
        ["b label", 5, 10, 0, 0],
        ["c label", 5, 0, 0, 0],
    ]
    assert by_label["rows"][1][:4] == ["b label", 15, 10, 10]
    assert by_label["rows"][1][4:] == [1.0, round(10 / 15, 6), 0.8]


def test_with_many_labels_the_confusions_are_listed(messages):
    labels = ["a label", "b label", "c label", *(f"other {n}" for n in range(20))]

    report = report_on(messages, says(messages, 30, "?"), labels=labels)

    table = next(t for t in report["tables"] if t["column"] == "tuned")
    said_nothing = {"en": "(no label, or several)", "zh-TW": "（沒說或說了好幾個）"}
    assert table["rows"] == [["b label", said_nothing, 5], ["c label", said_nothing, 5]]


def test_the_labels_of_the_test_are_recorded(messages):
    report = report_on(messages, says(messages, 30, "?"))

    spec = report["metrics"][0]["spec"]
    assert spec["labels"] == ["a label", "b label", "c label"]


def test_a_label_of_the_test_that_is_not_listed_is_refused(messages):
    block = messages.block("classification", labels=["a label", "b label"])

    with pytest.raises(RecipeError, match=r"1 labels .* not listed \(the first is `c label`\)"):
        metrics_of([block], messages.items)


def test_labels_that_cannot_be_told_apart_are_refused(messages):
    block = messages.block("classification", labels=["a label", "b label", "c label", "A-label"])

    with pytest.raises(RecipeError, match="`A-label` cannot be told from another"):
        metrics_of([block], messages.items)


def test_a_class_that_a_drawn_set_lacks_is_left_out_of_its_mean():
    both = {"wanted a": 1, "said a": 1, "right a": 1, "wanted b": 0, "said b": 1}

    assert classification.COMPANIONS[0].statistic(both) == 1.0
