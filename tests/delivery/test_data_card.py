"""The data card and the sheet on the AI Basic Act: counts and names, and where each is from."""

import json
from pathlib import Path

import pytest

from foundry.core import atomic
from foundry.delivery.package import build_package
from foundry.delivery.verify import verify
from foundry.policy.basic_act import act


def text_of(package: Path, name: str) -> str:
    return (package / name).read_text(encoding="utf-8")


def with_manifest(inputs, **changed) -> Path:
    path = inputs.run.file("data/manifest.json")
    values = json.loads(path.read_text(encoding="utf-8"))
    atomic.write_json(path, {**values, **changed})
    return Path(inputs.run.file(build_package(inputs).path))


def test_data_card_as_it_is(made_once, golden):
    golden("data_card.md", text_of(made_once, "data_card.md"))


def test_sheet_as_it_is(made_once, golden):
    golden("ai_basic_act.md", text_of(made_once, "ai_basic_act.md"))


def test_data_card_says_what_was_removed_drawn_and_put_in(inputs):
    package = with_manifest(
        inputs,
        planted=5,
        notices={"placeholder": 2},
        noticed={"placeholder": "train.csv:7 王小明 0912345678"},
        skipped=[{"path": "old/2024.doc", "reason": "unknown-kind"}],
        overlap={"open-book": {"removed_from_train": 4, "same_prompt_other_answer": 0}},
        mixture={
            "rows": 90,
            "repeated": 10,
            "sources": [
                {"files": ["a.csv", "b2.csv"], "rows": 40, "used": 40, "drawn": 60, "share": 2 / 3}
            ],
        },
    )

    card = text_of(package, "data_card.md")

    for line in (
        "- `empty`: 3 rows",
        "- `placeholder`: 2",
        "- old/2024.doc: `unknown-kind`",
        "- `open-book`: removed_from_train 4, same_prompt_other_answer 0",
        "5 more rows of `train` are canaries",
        "- a.csv, b2.csv: 40 of 40 rows used, drawn 60 times, a share of 66.7%",
    ):
        assert line in card
    assert verify(package).files


def test_data_card_quotes_no_row(inputs):
    noticed = {"placeholder": "train.csv:7 王小明 0912345678"}
    package = with_manifest(inputs, notices={"placeholder": 1}, noticed=noticed)

    assert "王小明" not in text_of(package, "data_card.md")
    assert "0912345678" not in text_of(package, "data_card.md")


def test_data_card_says_that_nothing_looked_for_personal_data(made_once):
    card = text_of(made_once, "data_card.md")

    assert "Not searched: nothing here looked for personal data or masked them." in card
    assert "沒有找過" in card


def test_sheet_has_seven_principles_with_evidence_or_not_shown(made_once):
    sheet = text_of(made_once, "ai_basic_act.md")

    assert len(act().principles) == 7
    for one in act().principles:
        rows = [line for line in sheet.split("\n") if line.startswith(f"| {one.title.en} |")]
        assert len(rows) == 1
        assert ("**not shown**" in rows[0]) != ("`" in rows[0])
    assert "| fairness and non-discrimination | **not shown** |" in sheet
    assert "| risk class | **not shown** |" in sheet
    assert "0.0012345 (`foundry/energy.json` `$.training.kwh`)" in sheet


def test_what_the_package_lacks_is_not_shown(inputs):
    (inputs.run.path.parent / "ledger.jsonl").unlink()

    package = inputs.run.file(build_package(inputs).path)

    sheet = text_of(package, "ai_basic_act.md")
    assert "| sustainable development and well-being | **not shown** |" in sheet
    assert "| 永續發展與福祉 | **沒有** |" in sheet


def test_sheet_says_that_the_act_was_not_read(made_once):
    assert not act().text_read
    assert {"passed", "risk_classes", "penalties", "principles"} <= act().marks.keys()
    assert "The text of the act was not read; none of this is verified." in text_of(
        made_once, "ai_basic_act.md"
    )


@pytest.mark.parametrize("name", ["data_card", "act_sheet", "card"])
def test_both_languages_use_the_same_values_and_headings(name):
    from tests.delivery.test_card import values_and_headings

    assert values_and_headings(name, "en") == values_and_headings(name, "zh-TW")
