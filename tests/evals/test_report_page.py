"""The page: one file, both languages, no request, and untrusted text stays text."""

import json
import re
from html import unescape
from html.parser import HTMLParser

import pytest

from foundry.core.recipe import Gate
from foundry.evals import peers
from foundry.evals.compare import Evidence
from foundry.evals.comparison import Roles
from foundry.evals.report import figures, svg
from foundry.evals.report.html import render, write_report
from foundry.evals.report.words import FACTS, KINDS, PAGE, PEERS
from foundry.evals.telling import KINDS as TELLING_KINDS
from foundry.evals.wording import LANGUAGES, SENTENCES, VERDICTS

ATTACK = "<script>alert(1)</script><img src=https://evil.example/x onerror=alert(2)>\"'&\x07\u202e"
VOID = {"meta", "input"}
TAGS = {
    *("html", "head", "meta", "title", "style", "body", "input", "nav", "label", "main"),
    *("header", "section", "article", "figure", "figcaption", "h1", "h2", "h3", "h4", "p"),
    *("ul", "ol", "li", "dl", "dt", "dd", "div", "span", "small", "b", "em", "code", "pre"),
    *("details", "summary", "table", "caption", "thead", "tbody", "tr", "th", "td"),
    *("svg", "rect", "path", "polyline", "text"),
}


class Page(HTMLParser):
    """Every tag with its attributes; `unclosed` is what is still open at the end."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.unclosed: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.unclosed.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.unclosed.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def report(unchanged_shop):
    shop = unchanged_shop
    evidence = Evidence(
        {"en": "Shop <b>", "zh-TW": "商店"},
        part_titles={"facts": {"en": "Facts", "zh-TW": "商品"}},
        curve=[{"step": n, "loss": 3 / n, "eval_loss": None} for n in range(1, 51)],
        facts={
            "proof": {"moved": 252, "rows": [{"name": ATTACK}], "note": "a\nb", "none": None},
            "mystery": ["x", "y"],
        },
    )
    columns = [
        shop.column("base", lambda item: (ATTACK, False)),
        shop.column("tuned", shop.right(30)),
        shop.column("gguf", shop.right(29)),
        shop.column("look-up", shop.right(34), {}),
    ]
    gates = [
        Gate(metric="required-facts", part="facts", min=0.8),
        Gate(metric="required-facts", part="facts", min_gain=0.1),
    ]
    roles = Roles(base=("base",), tuned="tuned", delivered=("gguf",), naive=("look-up",))
    return shop.report(columns, roles=roles, gates=gates, evidence=evidence)


@pytest.fixture(scope="module")
def html(report):
    return render(report)


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


def test_what_a_model_said_is_escaped(html, page):
    assert "<script" not in html and "<img" not in html
    assert {tag for tag, _ in page.tags} <= TAGS
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]
    assert any("<script>alert(1)</script>" in text for text in page.text)


def test_control_characters_are_shown_not_obeyed(html):
    assert "\x07" not in html and "\u2407" in html


def test_the_style_asks_for_nothing(html):
    (style,) = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)

    assert not re.search(r"url\(|@import|@font-face|http", style)


def test_no_tag_names_an_address(page):
    addresses = [
        value
        for _, attrs in page.tags
        for name, value in attrs.items()
        if name in {"src", "href", "xlink:href", "action", "srcset", "poster", "data"}
    ]

    assert addresses == []


def test_the_policy_forbids_every_source_and_script(page):
    policies = [attrs["content"] for tag, attrs in page.tags if "http-equiv" in attrs]

    assert policies == ["default-src 'none'; style-src 'unsafe-inline'"]


def test_every_tag_is_closed(page):
    assert page.unclosed == []


def test_both_languages_are_in_the_one_file(page):
    mains = [attrs["lang"] for tag, attrs in page.tags if tag == "main"]
    text = "".join(page.text)

    assert mains == ["zh-Hant-TW", "en"]
    assert "訓練前後" in text and "Before and after training" in text


def test_a_page_in_one_language_has_no_switch(report):
    page = Page(render({**report, "languages": ["en"]}))

    assert "訓練前後" not in "".join(page.text)
    assert "input" not in {tag for tag, _ in page.tags}


def test_no_id_occurs_twice(page):
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]

    assert len(ids) == len(set(ids))


def test_every_chart_has_a_name(page):
    charts = [attrs for tag, attrs in page.tags if tag == "svg"]

    # One bar per score by the part's own metric, comparisons and one curve, in two languages.
    assert len(charts) == 2 * (4 + 4 + 1 + 1)
    assert all(attrs["role"] == "img" and attrs["aria-label"] for attrs in charts)


def test_a_gate_that_does_not_hold_is_said_at_the_top(page):
    text = "".join(page.text)

    assert "2 項標準有 1 項沒達到，不會打包。" in text
    assert "Not met: 1 of 2 gates. No package is made." in text


def test_what_the_page_shows_is_what_the_record_holds(report, page):
    text = "".join(page.text)

    for score in report["scores"]:
        assert f"{100 * score['mean']:.1f}" in text
    for entry in report["telling"]:
        assert entry["question"] in text


def test_no_number_on_the_page_is_nan(page):
    assert not re.search(r"\b(nan|NaN|inf|Infinity|None|Undefined)\b", " ".join(page.text))


def test_the_page_can_be_made_again_from_the_record(report, tmp_path):
    json_path, html_path = write_report(report, tmp_path)

    again = render(json.loads(json_path.read_text(encoding="utf-8")))

    assert html_path.read_text(encoding="utf-8") == again


def test_the_files_are_the_same_byte_for_byte(report, tmp_path):
    first = [path.read_bytes() for path in write_report(report, tmp_path / "a")]
    second = [path.read_bytes() for path in write_report(report, tmp_path / "b")]

    assert first == second


def test_a_report_without_gates_curve_or_facts_is_whole(shop):
    bare = shop.report([shop.column("base", shop.right(1)), shop.column("tuned", shop.right(2))])

    page = Page(render(bare))

    assert page.unclosed == []
    assert "This recipe sets no gates." in "".join(page.text)


def test_tables_of_an_evaluator_stand_together_and_companions_under_it(shop):
    evals = [
        shop.block("declines", phrases=["不在服務範圍"], part="outside"),
        shop.block("format", checks={"characters": {"max": 6}}),
    ]
    columns = [shop.column("base", shop.right(1)), shop.column("tuned", shop.right(2))]
    made = shop.report(columns, evals=evals)

    html = render({**made, "languages": ["en"]})

    assert {table["metric"] for table in made["tables"]} == {"format"}
    folds = re.findall(r"<details class=\"wide\">(.*?)</details>", html, re.DOTALL)
    assert len(folds) == 1 + len({table["name"] for table in made["tables"]})
    tables = re.findall(r"<caption>(.*?)<small>", html)
    assert tables == [m["title"]["en"] for m in made["metrics"] if m["companion_of"] is None]
    companions = [m["title"]["en"] for m in made["metrics"] if m["companion_of"] is not None]
    assert companions == re.findall(r'class="group">(.*?)<small>', html)


def test_every_word_is_there_in_every_language():
    assert {*PAGE} == {*LANGUAGES}
    assert PAGE["en"].keys() == PAGE["zh-TW"].keys()
    assert PEERS["en"].keys() == PEERS["zh-TW"].keys() <= PAGE["en"].keys()
    for texts in (KINDS, FACTS, VERDICTS, SENTENCES):
        assert all({*text} == {*LANGUAGES} for text in texts.values())
    assert KINDS.keys() == {*TELLING_KINDS, *peers.KINDS}
    assert tuple(kind for kind in KINDS if kind in TELLING_KINDS) == TELLING_KINDS


def test_sentences_take_the_same_values_in_every_language():
    texts = [*SENTENCES.values()] + [
        {name: PAGE[name][key] for name in LANGUAGES} for key in PAGE["en"]
    ]

    for text in texts:
        assert fields(text["zh-TW"]) == fields(text["en"])


def fields(text: str) -> set[str]:
    return {*re.findall(r"{(\w+)}", text)}


def test_a_bar_is_as_long_as_its_share():
    drawn = svg.bar(0.75, 0.5, 1.0, name='a "<b>"', kind="tuned")

    assert '<rect class="tuned" width="75.00"' in drawn
    assert "M50.00 5H100.00" in drawn
    assert "<b>" not in drawn


@pytest.mark.parametrize("points", [[(1, 0.0)], [(1, 3.4), (50, 0.01)], [(1, 1e-9), (2, 5e6)]])
def test_a_line_stays_within_its_chart(points):
    drawn = svg.line_chart([("loss", points)], name="n", x="x", y="y")

    (where,) = re.findall(r'points="([^"]+)"', drawn)
    for pair in where.split():
        x, y = map(float, pair.split(","))
        assert svg.LEFT <= x <= svg.WIDTH - svg.RIGHT
        assert svg.TOP <= y <= svg.HEIGHT - svg.BOTTOM


@pytest.mark.parametrize(
    "points",
    [
        [(1, 0.0, 0.0, 0.0)],
        [(1, 0.2, 0.1, 0.3), (2, 0.9, 0.7, 1.1)],
        [(1, -0.5, -0.9, -0.1), (2, -0.2, -0.3, -0.1)],
        [(1, -0.5, -3.0, 2.0), (9, 40.0, 1.0, 79.0)],
    ],
)
def test_a_band_holds_its_line_and_both_stay_within_their_chart(points):
    drawn = svg.band_chart(points, name="n", x="x", y="y")

    band, line = ([*map(pairs, where.split())] for where in re.findall(r'points="([^"]+)"', drawn))
    assert all(svg.LEFT <= x <= svg.WIDTH - svg.RIGHT for x, _y in band)
    assert all(svg.TOP <= y <= svg.HEIGHT - svg.BOTTOM for _x, y in band)
    above, below = band[: len(points)], band[len(points) :][::-1]
    for (_, top), (_, y), (_, bottom) in zip(above, line, below, strict=True):
        assert top <= y <= bottom


def pairs(text: str) -> tuple[float, float]:
    x, y = map(float, text.split(","))
    return x, y


def test_no_points_give_no_chart():
    assert svg.line_chart([], name="n", x="x", y="y") == ""
    assert svg.band_chart([], name="n", x="x", y="y") == ""


def test_report_of_drawn_answers_shows_their_rewards_and_not_the_loss(report):
    """The loss of a policy gradient is no measure of anything that people ask for."""
    steps = [
        {"step": 1, "loss": -0.2, "reward": 0.25, "reward_low": 0.1, "reward_high": 0.4},
        {"step": 2, "loss": 0.3, "reward": 0.5},  # of one question: no interval
    ]
    rewarded = {**report, "curve": steps}

    for language, word, loss in (("en", "reward", "loss"), ("zh-TW", "獎勵", "損失")):
        drawn = figures.curve(rewarded, language)
        assert f">{word}</text>" in drawn and f">{loss}</text>" not in drawn
        assert 'class="band"' in drawn
        page = unescape(render(rewarded))
        assert PAGE[language]["reward_note"] in page
        assert PAGE[language]["curve_note"] not in page
