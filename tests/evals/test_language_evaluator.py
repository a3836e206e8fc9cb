"""An answer is clean in the language asked for, or it is said what leaked."""

import pytest

from foundry.core.errors import RecipeError
from foundry.evals.answers import Answer, Item
from foundry.evals.evaluators import language

SPEC = language.Spec()
ROWS_OWN = language.Spec(column="語言")
MEASURES = {
    "clean": language.score,
    "simplified": language.simplified_leakage,
    "mainland": language.mainland_vocabulary,
    "wrong": language.wrong_language,
}


@pytest.fixture
def item(shop):
    def make(question: str = "問", reference: str = "答", **fields: str) -> Item:
        return Item(shop.example("x", question, reference, **fields), "facts")

    return make


def measured(item: Item, text: str, spec: language.Spec = SPEC) -> dict[str, float | None]:
    answer = Answer("x", text, len(text), True)
    return {name: measure(item, answer, spec) for name, measure in MEASURES.items()}


CLEAN = {"clean": 1.0, "simplified": 0.0, "mainland": 0.0, "wrong": 0.0}


@pytest.mark.parametrize(
    "text",
    [
        *("售價一百元。", "台北后里的余先生說好", "支援 USB Type-C 充電線", "α 波與 μ 米都有"),
        *("注音是ㄅㄆㄇ", "１２３", "NT$100 元整", "好👍", "胜肽精華液 3.5 公厘", "𠮷野家的牛丼"),
    ],
)
def test_clean_traditional_chinese(item, text):
    assert measured(item(), text) == CLEAN


@pytest.mark.parametrize(
    ("text", "leak"),
    [
        ("这个有现货", {"simplified": 1.0}),
        ("你说什么", {"simplified": 1.0}),
        ("請下載軟件", {"mainland": 1.0}),
        ("请下载软件", {"simplified": 1.0, "mainland": 1.0}),
        ("The price is one hundred dollars.", {"wrong": 1.0}),
        ("價格は百元です", {"wrong": 1.0}),
        ("가격은 100원", {"wrong": 1.0}),
        ("價格Привет", {"wrong": 1.0}),
        ("價格ﾃｽﾄ", {"wrong": 1.0}),
        ("", {"wrong": 1.0}),
        (" 。！", {"wrong": 1.0}),
    ],
)
def test_a_leak_is_no_clean_answer_and_is_told_apart(item, text, leak):
    assert measured(item(), text) == {**CLEAN, "clean": 0.0, **leak}


def test_a_foreign_name_of_the_question_may_be_copied(item):
    asked = item("ハリオ V60 Coffee Dripper Set 多少錢？")

    assert measured(asked, "ハリオ V60 Coffee Dripper Set 一百元") == CLEAN
    assert measured(item(), "ハリオ V60 Coffee Dripper Set 一百元")["wrong"] == 1.0


def test_a_simplified_question_excuses_no_simplified_answer(item):
    assert measured(item("这个多少钱？"), "这个一百元")["simplified"] == 1.0


def test_a_mainland_word_of_the_reference_is_the_rows_own(item):
    asked = item(reference="中國互聯網協會")

    assert measured(asked, "是中國互聯網協會") == CLEAN
    assert measured(asked, "是中國互聯網協會的軟件")["mainland"] == 1.0


def test_a_row_names_its_own_language(item):
    english = item(語言="en")

    assert measured(english, "It costs 100.", ROWS_OWN) == {
        "clean": 1.0,
        "simplified": None,
        "mainland": None,
        "wrong": 0.0,
    }
    assert measured(english, "售價一百元", ROWS_OWN)["wrong"] == 1.0
    assert measured(item(語言=""), "售價一百元", ROWS_OWN) == CLEAN


def test_chinese_of_the_question_does_not_excuse_a_chinese_answer_in_english(item):
    assert measured(item("售價多少？", 語言="en"), "售價多少", ROWS_OWN)["clean"] == 0.0


def test_every_unknown_language_of_a_row_is_named(item):
    with pytest.raises(RecipeError) as refused:
        language.settle([item(語言="fr"), item(語言="en"), item(語言="tw")], ROWS_OWN)

    assert [p.what for p in refused.value.problems] == [
        "unknown language `fr`",
        "unknown language `tw`",
    ]


def test_how_much_must_be_chinese_can_be_set(item):
    text = "請用 USB Type C cable"  # 2 characters, 4 words

    assert measured(item(), text)["clean"] == 0.0
    assert measured(item(), text, language.Spec(least=0.3))["clean"] == 1.0


def test_a_very_long_answer_is_looked_at_once(item):
    assert measured(item(), "售價一百元。" * 20_000 + "软") == {
        **CLEAN,
        "clean": 0.0,
        "simplified": 1.0,
    }


def test_the_table_names_what_leaked_in_how_many_answers(item):
    texts = ["軟件和軟件", "軟件", "这", "价格は"]
    answers = [Answer("x", text, 1, True) for text in texts]

    (table,) = language.tables([item()] * 4, answers, SPEC)

    rows = [(kind["en"], *rest) for kind, *rest in table.rows]
    assert rows == [
        ("mainland word", "軟件", "軟體", 2),
        ("other script", "は", "", 1),
        ("Simplified", "价", "價", 1),
        ("Simplified", "这", "這", 1),
    ]


def test_a_model_clean_in_30_of_40_scores_that_and_each_leak_its_share(shop):
    """Of 40 answers 6 hold Simplified, 3 a mainland word, 1 is in English."""
    ids = [item.example.id for item in shop.facts]
    wrong = {
        **dict.fromkeys(ids[:6], "这个一百元"),
        **dict.fromkeys(ids[6:9], "請看視頻"),
        ids[9]: "It costs one hundred.",
    }
    columns = [
        shop.column("base", lambda item: "Sorry, no idea."),
        shop.column("tuned", lambda item: wrong.get(item.example.id, item.example.answer)),
    ]

    report = shop.report(columns, evals=[shop.block("language", parts=["facts"])])

    def mean(column: str, metric: str) -> float:
        return shop.score(report, column, metric)["mean"]

    assert mean("tuned", "language") == 30 / 40
    assert mean("tuned", "simplified-leakage") == 6 / 40
    assert mean("tuned", "mainland-vocabulary") == 3 / 40
    assert mean("tuned", "wrong-language") == 1 / 40
    assert mean("base", "language") == 0.0
    assert mean("base", "wrong-language") == 1.0
