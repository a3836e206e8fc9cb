"""The page of `foundry compare`: one file, both languages, no request, the same bytes again."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from foundry.evals.arms.contest import Question, compare_runs
from foundry.evals.arms.page import SHOWN_ITEMS, render
from foundry.evals.arms.words import PAGE
from foundry.evals.wording import VERDICTS
from foundry.store.runs import Run
from tests.browser import check, look_at, needs_browser, text_of
from tests.evals.arms.made import Made, items, make_run, right

ATTACK = "<script>alert(1)</script><img src=https://evil.example/x>\"'&\x07"
LONG = "https://example.com/" + "a" * 300 + "保固" * 200
ASKED = items(60)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Three arms: two seeds of a good one, one that is worse, a costly one that says odd things."""
    runs = tmp_path_factory.mktemp("runs")
    good = right(0.9, 0)
    odd = {ASKED[3].example.id: ATTACK, ASKED[4].example.id: LONG}
    full, qlora = ({"adapter": {"kind": kind}} for kind in ("full", "qlora"))
    costly = Made(values=qlora, memory_bytes=1 << 32, tokens=(100, 220, 300))
    made = [
        make_run(runs, "good-1", good, Made(seed=0), ASKED),
        make_run(runs, "good-2", right(0.9, 1), Made(seed=1), ASKED),
        make_run(runs, "worse-3", right(0.2, 2), Made(values=full, size_bytes=90_000), ASKED),
        make_run(runs, "odd-4", lambda i: odd.get(i.example.id, good(i)), costly, ASKED),
    ]
    return compare_runs([Run(run) for run in made], Question(allow_unequal=True))


@pytest.fixture(scope="module")
def html(found: dict[str, Any]) -> str:
    return render(found)


def test_page_is_made_of_the_document_alone(found: dict[str, Any], html: str):
    assert render(json.loads(json.dumps(found))) == html


def test_page_says_what_the_document_says(found: dict[str, Any], html: str):
    assert all(arm["name"] in html for arm in found["arms"])
    (worse,) = [
        one
        for one in found["differences"]
        if (one["metric"], one["a"], one["b"]) == ("exact-match", "worse-3", "odd-4")
    ]
    assert worse["verdict"] == "WORSE"
    for language, words in PAGE.items():
        assert worse["sentence"][language] in html
        assert VERDICTS["WORSE"][language] in html
        assert words["one_seed"] in html and words["unequal_note"] in html
    assert f"{worse['wins']} / {worse['losses']} / {worse['ties']}" in html
    assert "adapter.kind" in html


def test_star_is_at_the_arms_of_the_front(found: dict[str, Any], html: str):
    starred = set(re.findall(r"\d ([\w-]+) ★", html))

    assert starred == set(found["front"]["arms"]) != {arm["name"] for arm in found["arms"]}


def test_each_chart_has_a_point_for_each_arm(found: dict[str, Any], html: str):
    charts = [chart for chart in html.split("<svg") if "<circle" in chart]

    assert len(charts) == 3 * len(PAGE)
    assert {chart.count("<circle") for chart in charts} == {len(found["arms"])}


def test_questions_that_one_wins_and_another_loses_are_told(found: dict[str, Any], html: str):
    told = found["told"]

    assert len(told) > SHOWN_ITEMS
    spreads = [one["said"][0]["score"] - one["said"][-1]["score"] for one in told]
    assert spreads == sorted(spreads, reverse=True) and min(spreads) > 0
    assert {ASKED[3].example.id, ASKED[4].example.id} <= {one["item"] for one in told}
    assert html.count('<article class="case">') == SHOWN_ITEMS * len(PAGE)


def test_what_models_said_is_text(found: dict[str, Any]):
    odd = [one for one in found["told"] if any(s["text"] == ATTACK for s in one["said"])]

    html = render({**found, "told": odd})

    assert "&lt;script&gt;alert(1)" in html
    assert "<script" not in html and "<img" not in html
    assert "\x07" not in html and "\u2407" in html


def test_words_are_the_same_in_both_languages():
    assert PAGE["en"].keys() == PAGE["zh-TW"].keys()


@needs_browser
def test_page_opens_from_disk_without_error_request_or_barrier(
    found: dict[str, Any], tmp_path: Path
):
    odd = [one for one in found["told"] if any(s["text"] in (ATTACK, LONG) for s in one["said"])]
    file = tmp_path / "比較 1.html"
    file.write_text(render({**found, "told": odd}), encoding="utf-8")

    look = look_at(file)

    check(look, file)
    assert look.languages == ["zh-Hant-TW", "en"]
    english = text_of(look.printed["en"])
    assert "Quality and cost" in english and "得分與代價" not in english


def test_less_is_marked_as_good_where_less_is_better(tmp_path: Path):
    says = {"declines-1": lambda item: "不知道。", "answers-2": lambda item: item.example.answer}
    evals = ({"kind": "declines", "phrases": ["不知道"], "part": "outside"},)
    made, asked = Made(evals=evals), [*items(20), *items(4, "outside")]
    runs = [Run(make_run(tmp_path, name, say, made, asked)) for name, say in says.items()]

    html = render(compare_runs(runs, Question(metric="wrongly-declined", allow_unequal=True)))

    marks = re.findall(r'class="mark (good|bad)">[^<]*</span><span class="text">([^<]*)<', html)
    assert {(mark, text == "不知道。") for mark, text in marks} == {("good", False), ("bad", True)}
