"""Each evaluator gives exactly what the rule says, on texts a person can check."""

import pytest

from foundry.core.errors import RecipeError
from foundry.evals.answers import Answer, Item
from foundry.evals.evaluators import character_f1, declines, exact_match, required_facts, stop_rate
from foundry.evals.metrics import metrics_of

FACTS = required_facts.Spec(required="應含", forbidden="不應含")


def said(text: str, *, stopped: bool = True) -> Answer:
    return Answer("x", text, len(text), stopped)


@pytest.fixture
def facts(shop):
    def score(text: str, required: str, forbidden: str = "") -> float | None:
        example = shop.example("x", "問", "答", 應含=required, 不應含=forbidden)
        return required_facts.score(Item(example, "facts"), said(text), FACTS)

    return score


@pytest.mark.parametrize(
    ("text", "required"),
    [
        ("售價12元。", "12元"),
        ("售價 12 元", "12元"),
        ("售價１２元", "12元"),
        ("售價1,280元。", "1280元"),
        ("售價1280元。", "1,280元"),
        ("售價１，２８０元。", "1,280元"),
        ("電話0912 345 678", "0912345678"),
        ("有2、12元兩種", "12元"),
        ("有 2, 12元 兩種", "12元"),
        ("附 USB 線", "usb線"),
        ("紅、綠、藍", "紅綠藍"),
        ("3.5公斤", "3.5公斤"),
        ("保固2年，售價95元", "95元|2年"),
    ],
)
def test_a_required_value_is_found_whole(facts, text, required):
    assert facts(text, required) == 1.0


@pytest.mark.parametrize(
    ("text", "required"),
    [
        ("售價112元", "12元"),
        ("保固12年", "2年"),
        ("售價1,120元", "120元"),
        ("售價1 120元", "120元"),
        ("重3.12公斤", "12公斤"),
        ("型號123", "12"),
        ("型號12.5", "12"),
        ("共12,345", "12"),
        ("保固二十年", "十年"),
        ("售價三十五", "三十"),
        ("售價95元", "95元|2年"),
        ("", "95元"),
    ],
)
def test_a_value_inside_a_longer_number_is_not_found(facts, text, required):
    assert facts(text, required) == 0.0


def test_a_forbidden_value_spoils_the_answer(facts):
    assert facts("售價95元，保固2年", "95元", "2年") == 0.0


def test_a_forbidden_number_inside_a_longer_one_spoils_nothing(facts):
    assert facts("售價95元，保固12年", "95元", "2年") == 1.0


def test_a_forbidden_text_inside_the_required_one_spoils_nothing(facts):
    assert facts("顏色是墨黑色", "墨黑色", "黑色") == 1.0


def test_a_forbidden_text_that_also_stands_alone_spoils_the_answer(facts):
    assert facts("墨黑色和黑色", "墨黑色", "黑色") == 0.0


def test_a_row_that_requires_nothing_has_no_score(facts):
    assert facts("售價95元", " | ") is None


def test_a_part_that_is_not_asked_for_has_no_score(shop):
    spec = required_facts.Spec(required="應含", parts=("other",))

    assert required_facts.score(shop.facts[0], said("100元"), spec) is None


def test_reciting_the_whole_sheet_scores_nothing(shop):
    sheets = [item.example.prompt[0].content for item in shop.facts]

    scores = [
        required_facts.score(i, said(s), FACTS) for i, s in zip(shop.facts, sheets, strict=True)
    ]

    assert scores == [0.0] * 40


@pytest.mark.parametrize(
    ("text", "expected"),
    [("售價100元。", 1.0), (" 售價 １００元 ！？", 1.0), ("售價101元。", 0.0), ("", 0.0)],
)
def test_exact_match_ignores_width_spaces_and_final_marks(shop, text, expected):
    assert exact_match.score(shop.facts[0], said(text), exact_match.Spec()) == expected


@pytest.mark.parametrize(
    ("wanted", "text", "expected"),
    [
        ("3%", "3", 0.0),
        ("3%", "3%。", 1.0),
        ("3％", "3%", 1.0),
        ("AA-", "AA", 0.0),
        ("C#", "C", 0.0),
        ("好", "「好」", 0.0),  # what stands before it does not end it
        ("好", "好！」", 1.0),
    ],
)
def test_sign_that_means_something_at_the_end_counts(shop, wanted, text, expected):
    item = Item(shop.example("a", "多少？", wanted), "facts")

    assert exact_match.score(item, said(text), exact_match.Spec()) == expected


def test_exact_match_keeps_marks_inside(shop):
    item = Item(shop.example("x", "問", "3.5公斤"), "facts")

    assert exact_match.score(item, said("35公斤"), exact_match.Spec()) == 0.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("售價100元。", 1.0),
        ("售價", 2 * 2 / (2 + 7)),  # 2 of 2 characters right, 2 of 7 found
        ("售售售", 2 * 1 / (3 + 7)),  # a repeated character counts once
        ("貓", 0.0),
        ("", 0.0),
    ],
)
def test_character_f1_is_twice_the_common_over_the_sum(shop, text, expected):
    assert character_f1.score(shop.facts[0], said(text), character_f1.Spec()) == expected


def test_stop_rate_asks_only_whether_the_answer_ended_by_itself(shop):
    scores = [
        stop_rate.score(shop.facts[0], said("x", stopped=stopped), stop_rate.Spec())
        for stopped in (True, False)
    ]

    assert scores == [1.0, 0.0]


DECLINING = declines.Spec(phrases=("不在服務範圍", "，"), part="outside")


def test_declining_counts_only_where_it_is_wanted(shop):
    answer = said("這個問題 不在服務範圍 內")

    assert declines.score(shop.outside[0], answer, DECLINING) == 1.0
    assert declines.score(shop.facts[0], answer, DECLINING) is None
    (wrongly,) = declines.COMPANIONS
    assert wrongly.score(shop.facts[0], answer, DECLINING) == 1.0
    assert wrongly.score(shop.outside[0], answer, DECLINING) is None


def test_a_phrase_of_punctuation_alone_declines_nothing(shop):
    assert declines.score(shop.outside[0], said("會，下雨"), DECLINING) == 0.0


def test_two_evaluators_of_one_kind_are_refused(shop):
    with pytest.raises(RecipeError, match="`stop-rate` is asked for twice"):
        metrics_of([shop.block("stop-rate"), shop.block("stop-rate")], shop.items)


def test_an_evaluator_that_can_score_nothing_is_refused_before_any_answer(shop):
    misspelt = shop.block("required-facts", required="應函")

    with pytest.raises(RecipeError, match=r"evals\.required-facts: can score none of the 52"):
        metrics_of([misspelt, shop.block("stop-rate")], shop.items)
