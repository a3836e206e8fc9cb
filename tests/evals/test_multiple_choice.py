"""An answer to a question with options is read as a person reads it."""

import pytest

from foundry.core.errors import RecipeError
from foundry.evals.answers import Answer, Item
from foundry.evals.choices import chosen, options_of
from foundry.evals.evaluators import multiple_choice

OPTIONS = ("臺北", "東京", "首爾", "北京")
ENGLISH = ("a dog", "The cat", "12", "120")


@pytest.mark.parametrize(
    ("question", "options"),
    [
        ("首都？\nA. 臺北\nB. 東京\nC. 首爾\nD. 北京", OPTIONS),
        ("首都？\n(A) 臺北\n(B) 東京\n(C) 首爾\n(D) 北京", OPTIONS),
        ("首都？\nＡ．臺北\nＢ．東京\nＣ．首爾\nＤ．北京", OPTIONS),
        ("首都？(A)臺北(B)東京(C)首爾(D)北京", OPTIONS),
        ("首都？（Ａ）臺北（Ｂ）東京（Ｃ）首爾（Ｄ）北京", OPTIONS),
        ("A. 前言\n首都？\nA. 臺北\nB. 東京\nC. 首爾\nD. 北京", OPTIONS),
        ("首都在哪裡？", ()),
        ("A. 只有一個", ()),
        ("A. 臺北\nC. 東京", ()),
    ],
)
def test_options_are_read_from_the_question(question, options):
    assert options_of(question) == options


@pytest.mark.parametrize(
    "answer",
    [
        "B",
        "b",
        "Ｂ",
        "(B)",
        "（Ｂ）",
        "B.",
        "B。",
        "**B**",
        "「B」",
        "選項B",
        "選B",
        "B選項",
        "答案是(B)",
        "答案是B。",
        "答案：B",
        "正確答案為 (B) 東京。",
        "正確選項是B，因為日本的首都是東京。",
        "本題應選（B）。",
        "故選B",
        "The answer is B.",
        "The correct answer is (B), because A is in Taiwan.",
        "Answer: B",
        "B. 東京",
        "B 東京",
        "(B) 東京",
        "B\n因為(A)是臺灣的城市，(C)在韓國。",
        "B. 東京\n解析：A 在臺灣。",
        "東京",
        "東京。",
        "是東京。",
        "答案不是A，而是B。",
        "不選A，選B。",
        "我認為是 B",
        "答案不是A，是B。",
        "The correct option is B. Option A is wrong.",
        "Option A is wrong, so the choice is B.",
        "It is not (A). It is (B).",
        "I choose option B because C is too small.",
        "Option B is correct. Options A and C are wrong",
        "choice (B) fits; (C) does not",
        "Option A is wrong. Option B is right.",
    ],
)
def test_each_way_of_choosing_b_is_read(answer):
    assert chosen(answer, OPTIONS) == 1


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "A B C D",
        "A、B、C、D",
        "ABCD",
        "(A)(B)(C)(D)",
        "A. 臺北\nB. 東京\nC. 首爾\nD. 北京",
        "答案是A或B",
        "答案是A、B、C、D",
        "The answer is A or B",
        "答案是A，答案是B",
        "臺北或東京",
        "臺北 東京 首爾 北京",
        "E",
        "答案是E",
        "不知道",
        "大阪",
        "B或C",
        "不選B",
        "答案不是B。",
        "不應選 (B)",
        "The answer is not B.",
        "It isn't option B.",
        "It isn’t B.",
        "不選 (B) 東京",
        "答案不是B. 東京",
    ],
)
def test_none_or_several_is_no_choice(answer):
    assert chosen(answer, OPTIONS) is None


@pytest.mark.parametrize(
    ("answer", "place"),
    [("A dog", 0), ("It is a dog.", 0), ("the cat", 1), ("12", 2), ("120.", 3), ("1200", None)],
)
def test_an_article_is_no_letter_and_a_number_is_whole(answer, place):
    assert chosen(answer, ENGLISH) == place


def questions(shop, n=40):
    """Balanced: each letter is right for a quarter."""
    text = "首都？\nA. 臺北\nB. 東京\nC. 首爾\nD. 北京"
    return [Item(shop.example(f"q{k:02}", f"第{k}題：{text}", "ABCD"[k % 4]), "facts")
            for k in range(n)]  # fmt: skip


def test_a_model_that_always_says_a_scores_a_quarter_and_its_bias_is_seen(shop):
    shop.items = questions(shop)
    base = shop.column("base", lambda item: "A B C D")

    report = shop.report(
        [base, shop.column("tuned", lambda item: "A")], evals=[shop.block("multiple-choice")]
    )

    found = {m["name"]: shop.score(report, "tuned", m["name"])["mean"] for m in report["metrics"]}
    assert found == {
        "multiple-choice": 0.25,
        "multiple-choice-parse-rate": 1.0,
        "multiple-choice-position-bias": 0.75,
    }
    assert shop.score(report, "base", "multiple-choice-parse-rate")["mean"] == 0.0
    (table,) = [t for t in report["tables"] if t["column"] == "tuned"]
    assert table["rows"][:2] == [["A", 10, 40, 10], ["B", 10, 0, 0]]


def test_thirty_of_forty_right_scores_exactly_that(shop):
    shop.items = questions(shop)
    good = {item.example.id for item in shop.items[:30]}
    tuned = shop.column(
        "tuned", lambda i: f"答案是({i.example.answer})" if i.example.id in good else "不知道"
    )

    report = shop.report(
        [shop.column("base", lambda _: "D"), tuned], evals=[shop.block("multiple-choice")]
    )

    assert shop.score(report, "tuned", "multiple-choice")["mean"] == 0.75
    assert shop.score(report, "tuned", "multiple-choice-parse-rate")["mean"] == 0.75
    assert shop.score(report, "base", "multiple-choice")["mean"] == 0.25


def test_a_question_without_options_is_not_scored(shop):
    spec = multiple_choice.Spec()

    assert multiple_choice.score(shop.facts[0], Answer("x", "A", 1, stopped=True), spec) is None


def test_question_whose_reference_chooses_nothing_is_not_left_out_in_silence(shop):
    whole = questions(shop)
    odd = Item(shop.example("odd", whole[0].example.prompt[-1].content, "東北"), "facts")
    rows = [*whole, odd]
    spec = multiple_choice.Spec()

    with pytest.raises(RecipeError, match="the answers of 1 questions with options choose none"):
        multiple_choice.settle(rows, spec)
    assert multiple_choice.settle(whole, spec) == spec
    elsewhere = multiple_choice.Spec(parts=["other"])
    assert multiple_choice.settle(rows, elsewhere) == elsewhere
