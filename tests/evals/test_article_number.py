"""Articles of law are read in every way they are written, and the sets are compared exactly."""

import pytest

from foundry.evals.answers import Answer, Item
from foundry.evals.evaluators import article_number
from foundry.evals.statutes import Citation, citations, number

LABOUR = {"勞動基準法": ("勞基法",)}


def read(text: str) -> list[tuple[object, ...]]:
    """Law and levels of each citation, without the empty levels at the end."""
    found = []
    for c in citations(text, LABOUR):
        levels = [c.law, c.article, c.inserted, c.paragraph, c.subparagraph, c.item]
        while levels[-1] == 0:
            levels.pop()
        found.append(tuple(levels))
    return found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("民法第十二條", [("民法", 12)]),
        ("民法第12條", [("民法", 12)]),
        ("民法第 12 條", [("民法", 12)]),
        ("民法第１２條", [("民法", 12)]),
        ("《民法》第12條", [("民法", 12)]),
        ("依據民法第12條規定", [("民法", 12)]),
        ("民法第12條之1", [("民法", 12, 1)]),
        ("民法第 12 條之 1", [("民法", 12, 1)]),
        ("民法第十二條之一", [("民法", 12, 1)]),
        ("民法第12-1條", [("民法", 12, 1)]),
        ("民法第十二之一條", [("民法", 12, 1)]),
        ("民法第184條第1項前段", [("民法", 184, 0, 1)]),
        ("民法第一百八十四條第一項", [("民法", 184, 0, 1)]),
        ("民法第一八四條", [("民法", 184)]),
        ("勞動基準法第14條第1項第6款", [("勞動基準法", 14, 0, 1, 6)]),
        ("勞基法第14條第1項第6款第2目", [("勞動基準法", 14, 0, 1, 6, 2)]),
        ("雇主違反勞動基準法第38條", [("勞動基準法", 38)]),
        ("您可以參考民法第12條", [("民法", 12)]),
        ("根據我國民法第12條", [("民法", 12)]),
        ("雇主應遵守民法第12條", [("民法", 12)]),
        ("現行民法第12條", [("民法", 12)]),
        ("這屬於民法第12條", [("民法", 12)]),
        ("違反陸海空軍刑法第12條", [("陸海空軍刑法", 12)]),  # which is not the 刑法
        ("民法第12條及第13條", [("民法", 12), ("民法", 13)]),
        ("民法第12、13條", [("民法", 12), ("民法", 13)]),
        ("土地登記規則第5條", [("土地登記規則", 5)]),
        ("應適用涉外民事法律適用法第1條", [("涉外民事法律適用法", 1)]),
        (
            "臺灣地區與大陸地區人民關係條例第92條",
            [("臺灣地區與大陸地區人民關係條例", 92)],
        ),
        ("民法總則施行法第三條", [("民法總則施行法", 3)]),
        ("第" + "9" * 5000 + "條", []),
        ("民法第12條、第13條之1", [("民法", 12), ("民法", 13, 1)]),
        ("民法第12條及刑法第3條", [("民法", 12), ("刑法", 3)]),
        ("民法第12條規定甚明，同法第20條亦同", [("民法", 12), ("民法", 20)]),
        ("民法第12條第1項、同條第2項", [("民法", 12, 0, 1), ("民法", 12, 0, 2)]),
        ("兒童及少年福利與權益保障法第49條", [("兒童及少年福利與權益保障法", 49)]),
        ("勞工保險條例第二十條", [("勞工保險條例", 20)]),
        ("第12條", [("", 12)]),
        ("民法第12條，民法第12條", [("民法", 12)]),
        ("第三章", []),
        ("沒有規定", []),
    ],
)
def test_a_citation_is_read_as_it_is_meant(text, found):
    assert read(text) == found


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("十", 10),
        ("十二", 12),
        ("二十", 20),
        ("一百零五", 105),
        ("一千一百三十八", 1138),
        ("一八四", 184),
        ("廿一", 21),
        ("184", 184),
        ("〇", 0),
        ("百二十", 120),
    ],
)
def test_numerals_are_numbers(text, value):
    assert number(text) == value


def score(shop, reference: str, text: str, **spec: object) -> float | None:
    item = Item(shop.example("x", "依據？", reference), "facts")
    made = article_number.Spec.model_validate(spec)
    return article_number.score(item, Answer("x", text, 1, stopped=True), made)


@pytest.mark.parametrize(
    ("text", "spec", "expected"),
    [
        ("依民法第十二條第一項。", {}, 1.0),
        ("民法第12條", {}, 0.0),
        ("民法第12條", {"depth": "article"}, 1.0),
        ("刑法第12條第1項", {}, 0.0),
        ("刑法第12條第1項", {"law_names": False}, 1.0),
        ("第12條第1項", {}, 0.0),
        ("民法第12條第1項、第13條", {}, 0.0),
        ("不知道", {}, 0.0),
    ],
)
def test_exactly_the_cited_articles_are_wanted(shop, text, spec, expected):
    assert score(shop, "民法第12條第1項", text, **spec) == expected


def test_a_reference_without_a_citation_is_not_scored(shop):
    assert score(shop, "售價100元。", "民法第12條") is None


def test_levels_below_the_depth_are_dropped():
    assert Citation("民法", 1, 2, 3, 4, 5).down_to("paragraph") == Citation("民法", 1, 2, 3)


def test_mock_models_score_exactly_what_they_are_known_for(shop):
    """30 of 40 right; 6 add an invented article, 4 cite none."""
    shop.items = [
        Item(shop.example(f"a{n:02}", f"第{n}題", f"民法第{n + 1}條。"), "facts") for n in range(40)
    ]
    place = {item.example.id: n for n, item in enumerate(shop.items)}

    def says(item):
        n = place[item.example.id]
        if n < 30:
            return f"依民法第 {n + 1} 條規定。"
        return f"{item.example.answer}另見民法第999條。" if n < 36 else "不知道。"

    report = shop.report(
        [shop.column("base", lambda _: "刑法第1條"), shop.column("tuned", says)],
        evals=[shop.block("article-number")],
    )

    found = {m["name"]: shop.score(report, "tuned", m["name"])["mean"] for m in report["metrics"]}
    assert found == {
        "article-number": 30 / 40,
        "article-number-precision": round(36 / 42, 6),
        "article-number-recall": 36 / 40,
        "article-number-parse-rate": 36 / 40,
    }
    assert shop.score(report, "base", "article-number-precision")["mean"] == 0.0
