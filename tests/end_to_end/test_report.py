"""The report of a real run: facts, costs, tables and figures, and a page that a browser opens."""

import csv
import json
from typing import Any

import pytest

from tests.browser import check, look_at, needs_browser
from tests.tiny_recipe import Outcome, TinyRecipe


@pytest.fixture(scope="module")
def report(whole_run: tuple[TinyRecipe, Outcome]) -> dict[str, Any]:
    file = whole_run[0].run.file("evals", "report.json")
    return dict(json.loads(file.read_text(encoding="utf-8")))


def test_engineer_finds_every_setting_hash_and_time(
    whole_run: tuple[TinyRecipe, Outcome], report: dict[str, Any]
):
    run, facts = whole_run[0].run, report["facts"]

    assert facts["settings"]["train"]["learning_rate"] == 0.01
    assert facts["settings"]["evaluation"]["few_shot"] == 1
    assert facts["hashes"]["encoded_rows"] and facts["hashes"]["base_model"]
    assert "adapter/adapter_model.safetensors" in facts["hashes"]["adapter"]
    assert len(facts["hashes"]["exports"]) >= 3
    assert list(facts["hashes"]["inputs"]) == ["data.sources.0.path"]
    assert set(facts["timings"]) == {"data", "encode", "train", "export"}
    assert {"mask", "proof", "parity", "overlap", "environment"} <= set(facts)
    assert str(run.path.parent) not in json.dumps(facts)


def test_owner_finds_seconds_and_money_of_a_thousand_answers(report: dict[str, Any]):
    costs = report["costs"]

    assert [row["column"] for row in costs["columns"]][-2:] == ["tuned", "delivered"]
    for row in costs["columns"]:
        assert row["seconds"] > 0 and row["twd"] > 0
    assert costs["watts_from"] and costs["price_from"] and costs["twd_per_kwh"] == 3.7823


def test_researcher_finds_tables_figures_and_methods(
    whole_run: tuple[TinyRecipe, Outcome], report: dict[str, Any]
):
    folder = whole_run[0].run.file("evals")

    with (folder / "scores.csv").open(encoding="utf-8-sig", newline="") as lines:
        scores = list(csv.DictReader(lines))
    with (folder / "answers.csv").open(encoding="utf-8-sig", newline="") as lines:
        answers = list(csv.DictReader(lines))
    tuned = [r for r in scores if (r["column"], r["metric"]) == ("tuned", "exact-match")]
    (said,) = [
        s for s in report["scores"] if (s["column"], s["metric"]) == ("tuned", "exact-match")
    ]
    assert sum(float(row["score"]) for row in tuned) / len(tuned) == said["mean"]
    assert {row["column"] for row in answers} == {c["name"] for c in report["columns"]}
    assert len(list(folder.glob("figures/*.svg"))) == 6
    assert "AI Foundry" in report["methods"]["en"] and "32 steps" in report["methods"]["en"]


@needs_browser
def test_report_of_a_real_run_opens_in_a_browser(whole_run: tuple[TinyRecipe, Outcome]):
    page = whole_run[0].run.file("evals", "report.html")

    check(look_at(page), page)
