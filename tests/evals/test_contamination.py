"""Test questions that were trained on are named, and scores are told without them (C27)."""

from dataclasses import replace

import pytest

from foundry.core.recipe import Gate
from foundry.core.records import Example, Turn
from foundry.evals import contamination
from foundry.evals.answers import Item
from foundry.evals.compare import Evidence, Measures, measure, report_on
from foundry.evals.comparison import Roles
from foundry.evals.contamination import overlaps
from foundry.evals.evaluators.controls import Spec, items
from foundry.evals.report.html import render
from foundry.evals.report.overlap import WORDS
from tests.cases import case, change

SHEET = "商品：遠山行李箱\n售價：2,980元\n材質：鋁合金"
LONG = "請問你們門市星期六晚上營業到幾點，可以帶寵物進去嗎？"


def row(question: str, answer: str = "好。", *, system: str = "", line: int = 2) -> Example:
    turns = [Turn("system", system)] if system else []
    turns += [Turn("user", question), Turn("assistant", answer)]
    return Example(f"{line}", tuple(turns), "train.csv", line, f"{line}")


def found(question: str, *train: Example, answer: str = "好。"):
    """Kind, line and share of the one question's overlap; None where there is none."""
    made = overlaps([Item(row(question, answer), "test")], train)
    return (made[0].kind, made[0].line, made[0].share) if made else None


@case(
    "C27",
    {
        "compared as written": change(contamination, "normalise", lambda text: text),
        "never the same": change(contamination, "_same", lambda items, train: {}),
    },
)
def test_a_question_that_was_trained_on_is_found_however_it_is_spaced_and_wide():
    assert found("保固多久 ＡＢ", row("保固多久  ab", line=7)) == ("exact", 7, 1.0)
    assert found("保固多久？", row("保固多久？", "一年。")) == ("same-question", 2, 1.0)
    assert found("保固多久？", row("售價多少？")) is None


def test_the_row_with_the_same_answer_is_named_before_one_with_another():
    rows = [row("保固多久？", "一年。", line=2), row("保固多久？", "好。", line=3)]

    assert found("保固多久？", *rows) == ("exact", 3, 1.0)


def test_the_system_text_of_the_training_rows_makes_no_difference():
    assert found("保固多久？", row("保固多久？", system="你是客服。")) == ("exact", 2, 1.0)


@case(
    "C27",
    {
        "only exact ones": change(contamination, "NEAR", 1.01),
        "any row will do": change(contamination, "NEAR", 0.0),
    },
)
def test_a_question_worded_almost_alike_is_near_and_one_worded_anew_is_not():
    alike = found(LONG, row("hello " + LONG.replace("可以", "能"), line=5))

    assert alike is not None and alike[:2] == ("near", 5) and 0.8 <= alike[2] < 1
    assert found(LONG, row("週六晚上門市開到幾點？寵物可以一起進去嗎？")) is None
    assert found("昨晚的籃球比賽誰贏了？", row("昨天的棒球比賽誰贏了？")) is None


@pytest.mark.parametrize(
    "trained",
    [
        SHEET.replace("遠山", "北海").replace("2,980", "1,250").replace("鋁合金", "帆布")
        + "\n\n這款行李箱的售價是多少？",
        SHEET + "\n\n這款行李箱是用什麼材質做的？",
    ],
)
def test_neither_another_product_nor_another_question_on_the_sheet_is_an_overlap(trained):
    assert found(SHEET + "\n\n這款行李箱的售價是多少？", row(trained)) is None


def test_a_question_inside_a_long_text_is_near():
    text = "本店常見問題。" * 50 + LONG + "可以。" + "歡迎光臨。" * 50
    document = Example("t", (), "book.txt", 1, "t", text=text)

    assert found(LONG, document) == ("near", 1, 1.0)


def test_a_short_question_is_found_only_if_it_is_the_same():
    assert found("幾點開？", row("請問你們門市星期六幾點開？")) is None


OPTIONS = "\nA. 玉山\nB. 雪山\nC. 合歡山\nD. 大霸尖山"
TURNED = "\nA. 雪山\nB. 大霸尖山\nC. 玉山\nD. 合歡山"
STEM = "臺灣最高的山是哪一座？"


@case("C27", {"only with its options": change(contamination, "options_of", lambda _text: ())})
@pytest.mark.parametrize(
    "trained",
    [row(STEM, "玉山"), row(STEM, "是玉山，海拔 3,952 公尺。"), row(STEM + TURNED, "C")],
)
def test_a_question_with_options_is_found_without_them_and_in_another_order(trained):
    overlap = found(STEM + OPTIONS, trained, answer="A")

    assert overlap is not None and overlap[0] == "near"


def test_a_stem_that_many_questions_have_is_no_overlap():
    stem = "下列關於臺灣山脈的敘述何者正確？"
    other = row(f"{stem}\nA. 甲山最高\nB. 乙山最高", "B")

    assert found(f"{stem}\nA. 丙河最長\nB. 丁河最長", other, answer="A") is None


def test_a_stem_on_another_text_or_with_another_answer_is_no_overlap():
    asked = "甲文說店很好。\n\n根據上文，作者的語氣如何？\nA. 肯定\nB. 否定"
    other = "乙文說路很遠，無法肯定結果。\n\n根據上文，作者的語氣如何？\nA. 冷淡\nB. 悲傷\nC. 高興"

    assert found(asked, row(other, "C"), answer="A") is None

    primes = "下列各數中，何者是質數？"
    others = row(f"{primes}\nA. 13\nB. 14\nC. 16", "A")
    assert found(f"{primes}\nA. 3\nB. 4\nC. 6", others, answer="A") is None


def test_a_control_question_is_found_without_the_words_that_say_in_what_form_to_answer():
    (first, *_rest) = items(Spec(sample=16))

    made = overlaps([first], [row("台灣最高的山是哪一座？", "玉山", line=9)])

    assert [(o.item_id, o.part, o.kind) for o in made] == [("taiwan-zh-01", "controls", "exact")]


def report(shop, right: int, trained: range, gates=()):
    """Of 40 facts the base knows none and the tuned model the first `right`."""
    train = [row(shop.facts[n].example.prompt[-1].content, line=n) for n in trained]
    nothing = shop.column("base", lambda item: "不知道。")
    measured = measure(
        shop.items,
        [nothing, shop.column("tuned", shop.right(right))],
        measures=Measures([shop.required(parts=["facts"])], gates),
        roles=Roles(base=("base",), tuned="tuned"),
        part_titles={},
        seed=7,
    )
    return report_on(
        replace(measured, overlaps=overlaps(shop.items, train)), Evidence({"en": "x", "zh-TW": "x"})
    )


def test_every_score_is_told_without_the_questions_that_were_trained_on(unchanged_shop):
    made = report(unchanged_shop, 30, range(20))["contamination"]

    assert made["count"] == 20
    assert [one["item_id"] for one in made["items"]] == [f"item{n:02}" for n in range(20)]
    tuned = next(score for score in made["scores"] if score["column"] == "tuned")
    assert (tuned["n"], tuned["mean"]) == (40, 0.75)
    assert (tuned["n_without"], tuned["mean_without"]) == (20, 0.5)
    assert (made["verdicts"][0]["mean"], made["verdicts"][0]["mean_without"]) == (0.75, 0.5)


def test_a_verdict_that_only_the_overlap_bears_out_is_a_warning(unchanged_shop):
    gate = Gate(metric="required-facts", part="facts", min_gain=0.1)

    made = report(unchanged_shop, 20, range(20), [gate])

    (changed,) = made["contamination"]["verdicts"]
    assert (changed["verdict"], changed["verdict_without"]) == ("BETTER", "NO DIFFERENCE")
    assert made["contamination"]["gates"][0]["passed_without"] is False
    warning = made["headlines"][-1]
    assert warning["en"].startswith("Caution, facts: 20 questions overlap with the training rows.")
    assert "重疊" in warning["zh-TW"]


def test_verdicts_are_those_of_the_report_corrected_for_its_comparisons(shop):
    """Alone the gain is clear, among the comparisons of the report it is not."""
    train = [row(shop.facts[n].example.prompt[-1].content, line=n) for n in (38, 39)]

    made = shop.report(
        [shop.column("base", shop.right(20)), shop.column("tuned", shop.right(32))], trained=train
    )

    place = {"metric": "required-facts", "a": "tuned", "b": "base"}
    (own,) = [one for one in made["differences"] if place.items() <= one.items()]
    (told,) = [one for one in made["contamination"]["verdicts"] if place.items() <= one.items()]
    assert own["p_value"] < 0.05 < own["p_adjusted"]
    assert told["verdict"] == own["verdict"] == "NO DIFFERENCE"


def test_where_every_question_was_trained_on_nothing_can_be_said(unchanged_shop):
    made = report(unchanged_shop, 30, range(40))

    (changed,) = made["contamination"]["verdicts"]
    assert (changed["mean_without"], changed["verdict_without"]) == (None, "NOT ENOUGH DATA")


def test_without_overlap_there_is_no_warning_and_nothing_is_told_twice(unchanged_shop):
    made = report(unchanged_shop, 30, range(0))

    assert made["contamination"]["count"] == 0
    assert made["contamination"]["scores"] == made["contamination"]["verdicts"] == []
    assert not [one for one in made["headlines"] if "overlap" in one["en"]]


def test_page_names_the_questions_and_scores_them_without(unchanged_shop):
    gate = Gate(metric="required-facts", part="facts", min_gain=0.1)
    made = report(unchanged_shop, 20, range(20), [gate])

    page = render(made)

    for words in WORDS.values():
        assert words["overlap"] in page
        assert words["overlap_gates"] in page
    assert "20 questions are also in a training row" in page
    assert page.count("train.csv:19") == 2  # once per language
    assert "same question, another answer" in page
    assert ">+50.0<" in page and ">0.0<" in page


def test_where_nobody_looked_no_page_says_that_nothing_overlaps(unchanged_shop):
    measured = measure(
        unchanged_shop.items,
        [unchanged_shop.column("tuned", unchanged_shop.right(30))],
        measures=Measures([unchanged_shop.required(parts=["facts"])]),
        roles=Roles(tuned="tuned"),
        part_titles={},
        seed=7,
    )

    made = report_on(measured, Evidence({"en": "x", "zh-TW": "x"}))

    assert made["contamination"] is None
    assert WORDS["en"]["overlap"] not in render(made)


def test_page_says_that_nothing_overlaps(unchanged_shop):
    page = render(report(unchanged_shop, 30, range(0)))

    assert "No question is also in a training row (runs of 3 words" in page
    assert "沒有一題和訓練資料重疊" in page
    assert WORDS["en"]["overlap_verdicts"] not in page


def test_words_of_the_overlap_are_the_same_in_both_languages():
    assert WORDS["en"].keys() == WORDS["zh-TW"].keys()
