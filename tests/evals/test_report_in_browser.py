"""The report as people open it: from disk, without a network, on a phone and on paper."""

import pytest

from foundry.core.recipe import Gate
from foundry.evals.compare import Evidence
from foundry.evals.comparison import Roles
from foundry.evals.report.html import write_report
from foundry.evals.unmeasured import unmeasured_report
from foundry.store.ledger import Charges
from tests.browser import browser, check, look_at, needs_browser, text_of

pytestmark = needs_browser

LONG = "https://example.com/" + "a" * 300 + "保固" * 200
TITLE = {"en": "Retail customer service", "zh-TW": "零售客服問答"}


@pytest.fixture(scope="module")
def report(unchanged_shop):
    shop = unchanged_shop
    evidence = Evidence(
        TITLE,
        part_titles={"facts": {"en": "Facts", "zh-TW": "商品"}},
        curve=[
            {"step": n, "loss": 3 / n, "learning_rate": 1e-4 * n, "grad_norm": 2.5 / n}
            for n in range(1, 51)
        ],
        facts={"proof": {"moved": 252, "rows": [{"name": LONG}]}, "hashes": {"a": "f" * 64}},
        charges=Charges(watts=54.0, watts_from="assumed", twd_per_kwh=3.78, price_from=LONG),
    )
    columns = [
        shop.column("base", lambda item: (LONG, False)),
        shop.column("tuned", shop.right(30)),
        shop.column("gguf", shop.right(29)),
        shop.column("look-up", shop.right(34), {}),
    ]
    roles = Roles(base=("base",), tuned="tuned", delivered=("gguf",), naive=("look-up",))
    gates = [Gate(metric="required-facts", part="facts", min=0.8)]
    evals = [
        shop.required(parts=["facts"]),
        shop.block("declines", phrases=["不在服務範圍"], part="outside"),
        shop.block("format", checks={"characters": {"max": 20}, "no_markdown": True}),
    ]
    trained = [item.example for item in shop.facts[:5]]
    return shop.report(
        columns, roles=roles, gates=gates, evals=evals, evidence=evidence, trained=trained
    )


@pytest.fixture(scope="module")
def page(report, tmp_path_factory):
    return write_report(report, tmp_path_factory.mktemp("報告 1"))[1]


@pytest.fixture(scope="module")
def look(page):
    return look_at(page)


def test_report_opens_from_disk_without_error_request_or_barrier(look, page):
    check(look, page)
    assert look.languages == ["zh-Hant-TW", "en"]


def test_paper_has_one_language_and_every_question_with_its_facts(look, report):
    chinese, english = text_of(look.printed["zh-Hant-TW"]), text_of(look.printed["en"])

    assert "結論" in chinese and "Conclusion" not in chinese
    assert "Conclusion" in english and "結論" not in english
    for entry in report["telling"]:
        assert entry["question"] in chinese
    assert "原價" in english  # the facts given, folded on the screen
    assert "5 questions are also in a training row" in english


def test_figures_open_by_themselves(page):
    with browser() as chromium:
        for figure in sorted(page.parent.glob("figures/*.svg")):
            opened = chromium.new_page()
            opened.goto(figure.as_uri())
            assert opened.locator("svg > title").count() == 1
            assert opened.locator("text").first.is_visible()
            opened.close()


def test_language_is_chosen_by_keyboard(page):
    with browser() as chromium:
        opened = chromium.new_page()
        opened.goto(page.as_uri())
        opened.keyboard.press("Tab")
        opened.keyboard.press("ArrowRight")

        assert opened.get_by_role("heading", name="Conclusion").is_visible()
        assert opened.locator("main").first.is_hidden()


def test_models_side_by_side_open_too(unchanged_shop, tmp_path):
    shop = unchanged_shop
    asked = {**shop.settings, "task": {"name": "shop"}, "form": "text", "questions_sha256": "dd"}
    columns = [
        shop.column("a", shop.right(3), asked),
        shop.column("b", lambda item: LONG, asked),
    ]
    evals = [shop.required(parts=["facts"])]
    report = shop.report(columns, evals=evals, roles=Roles(peers=("a", "b")))
    page = write_report(report, tmp_path)[1]

    check(look_at(page), page)


def test_report_that_measured_nothing_opens_too(tmp_path):
    page = write_report(unmeasured_report(Evidence(TITLE), [], 7), tmp_path)[1]

    check(look_at(page), page)
