"""Models side by side without a trained one: asked in the same words, compared with the first."""

import html
from typing import Any

import pytest

from foundry.core.errors import ProofError
from foundry.evals import compare, settings
from foundry.evals.aggregates import Mean
from foundry.evals.answers import Column
from foundry.evals.compare import Evidence, Measures, measure, report_on
from foundry.evals.comparison import Roles, same
from foundry.evals.metrics import Metric
from foundry.evals.report.html import render
from tests.cases import case, change
from tests.evals.conftest import Shop

ASKED = {"task": {"name": "shop", "version": 1}, "form": "text", "questions_sha256": "dd"}


def column(shop: Shop, name: str, right: int, **other: Any) -> Column:
    """A model that is right on so many of the 40 facts, and how it was asked."""
    return shop.column(name, shop.right(right), {**shop.settings, **ASKED, **other})


def report(shop: Shop, *columns: Column) -> dict[str, Any]:
    roles = Roles(peers=tuple(column.name for column in columns))
    return shop.report(columns, roles=roles, evals=[shop.required(parts=["facts"])])


def test_each_model_is_compared_with_the_first(shop: Shop):
    made = report(shop, column(shop, "a", 30), column(shop, "b", 10), column(shop, "c", 30))

    assert [(d["a"], d["b"], d["verdict"]) for d in made["differences"]] == [
        ("b", "a", "WORSE"),
        ("c", "a", "NO DIFFERENCE"),
    ]
    own = shop.score(made, "a", "required-facts")
    assert own["mean"] == 0.75
    assert made["differences"][0]["mean"] == -0.5
    between = f"{100 * own['low']:.1f} to {100 * own['high']:.1f}"
    assert made["headlines"][0]["en"].endswith(
        f"75.0 out of 100 (40 questions; 95% interval {between})."
    )
    assert "50.0 points lower" in made["headlines"][1]["en"]
    assert "訓練" not in "".join(said["zh-TW"] for said in made["headlines"])


def errors(shop: Shop, *columns: Column) -> dict[str, Any]:
    """A report by a number of which less is better: the share of wrong answers."""
    said = Mean("errors", lambda item, answer: float(answer.text != item.example.answer))
    wrong = Metric("errors", same("Errors"), same(""), 1, {}, said, lower_is_better=True)
    roles = Roles(peers=tuple(column.name for column in columns))
    measures = Measures([], metrics=[wrong])
    found = measure(shop.facts, columns, measures=measures, roles=roles, part_titles={}, seed=7)
    return report_on(found, Evidence(same("Shop")))


def test_where_less_is_better_the_better_model_is_said_to_be_lower(shop: Shop):
    made = errors(shop, column(shop, "a", 10), column(shop, "b", 30))

    (one,) = made["differences"]
    assert (one["verdict"], one["mean"]) == ("BETTER", 0.5)
    between = f"−{100 * one['high']:.1f} to −{100 * one['low']:.1f}"
    said = f"50.0 points lower, which chance does not explain (95% interval {between})."
    assert one["sentence"]["en"] == said
    assert made["headlines"][1]["en"].endswith(f"Against a model: {said}")


def test_where_less_is_better_nought_is_right(shop: Shop):
    made = errors(shop, column(shop, "a", 30))

    assert [entry["kind"] for entry in made["telling"][:2]] == ["wrong-for-all"] * 2
    assert "不知道。" in made["telling"][0]["answers"][0]["text"]


def test_single_model_is_reported_without_a_comparison(shop: Shop):
    made = report(shop, column(shop, "a", 30))

    assert made["differences"] == []
    assert len(made["headlines"]) == 1
    assert {entry["kind"] for entry in made["telling"]} == {"wrong-for-all", "right-for-all"}


def test_trained_model_without_its_base_has_an_interval_too(shop: Shop):
    roles, evals = Roles(tuned="a"), [shop.required(parts=["facts"])]
    (said,) = shop.report([column(shop, "a", 30)], roles=roles, evals=evals)["headlines"]

    assert "75.0 out of 100 after training (40 questions; 95% interval 5" in said["en"]
    assert "95% 信賴區間 5" in said["zh-TW"]


def test_items_on_which_the_models_differ_come_first(shop: Shop):
    made = report(shop, column(shop, "a", 30), column(shop, "b", 27))

    kinds = [entry["kind"] for entry in made["telling"]]
    assert kinds[:2] == ["apart", "apart"]  # 27, 28, 29: of two groups
    assert "apart" not in kinds[2:]


def test_page_of_peers_names_every_model(shop: Shop):
    page = render(report(shop, column(shop, "a", 30), column(shop, "b", 10)))

    assert "a 模型" in page
    assert "Each model's score" in html.unescape(page)
    assert "Before and after" not in page and "訓練前後" not in page
    assert "This recipe" not in page and "這份配方" not in page
    assert "of this run" not in page and "這次訓練" not in page
    assert "b model" in page


@pytest.mark.parametrize(
    "other",
    [
        {"form": "chat"},
        {"questions_sha256": "ee"},
        {"task": {"name": "shop", "version": 2}},
        {"decoding": {"max_new_tokens": 8, "temperature": 0}},
    ],
)
def test_models_that_were_asked_otherwise_are_not_compared(shop: Shop, other: dict[str, Any]):
    with pytest.raises(ProofError, match=f"^b: asked otherwise than a: {next(iter(other))} differ"):
        report(shop, column(shop, "a", 30), column(shop, "b", 10, **other))


def test_models_with_other_tokenizers_are_compared(shop: Shop):
    other = {"first_prompt_ids": [7, 8], "bos_count": 0, "prompts_sha256": "zz", "stop_ids": [3]}

    made = report(shop, column(shop, "a", 30), column(shop, "b", 10, **other))

    (_first, second) = made["columns"]
    assert second["asked_unlike_tuned"] == [
        *("bos_count", "first_prompt_ids", "prompts_sha256", "stop_ids"),
    ]


@case(
    "C28",
    {
        "peers are compared whatever they were asked": change(
            compare, "check_peers", lambda models: None
        ),
        "only the decoding counts": change(settings, "PEER_SETTINGS", ("decoding",)),
    },
)
def test_base_scored_raw_and_one_scored_with_its_template_are_refused(shop: Shop):
    with pytest.raises(ProofError):
        report(shop, column(shop, "a", 30), column(shop, "b", 10, form="chat"))


def test_setting_that_is_missing_is_named(shop: Shop):
    bare = shop.column("b", shop.right(3))

    with pytest.raises(ProofError, match="the setting `task` is missing"):
        report(shop, column(shop, "a", 30), bare)
