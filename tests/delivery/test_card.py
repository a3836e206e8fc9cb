"""The model card: front matter that the hub reads, and the same facts in both languages."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import Environment, meta

from foundry.delivery import card as cards
from foundry.delivery.claims import Found, Writer
from foundry.delivery.documents import SOURCES
from foundry.delivery.front_matter import front_matter, marked
from foundry.delivery.package import build_package
from foundry.delivery.package_record import read
from foundry.policy import licence
from foundry.policy.use import Bound, Use
from foundry.policy.verdict import Verdict
from tests.delivery.made_run import CHAT, make_run


def text_of(package: Path) -> str:
    return (package / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def values(made_once) -> dict[str, Any]:
    """The package's JSON files, to be changed."""
    return {
        short: json.loads((made_once / name).read_text(encoding="utf-8"))
        for short, name in SOURCES.items()
    }


def matter(values: Mapping[str, Any]) -> dict[str, Any]:
    """The front matter as the hub's reader of YAML finds it."""
    sources = {short: Found(SOURCES[short], value) for short, value in values.items()}
    writer = Writer("README.md")
    text, _claims, _wording = writer.settle(marked(front_matter(sources), writer))
    return dict(yaml.safe_load(text))


def under(*names: str) -> dict[str, Any]:
    """What the licences of a base and of data say."""
    base, *data = map(licence.find, names)
    bound = [Bound("base_model", base, "base"), *(Bound("a.csv", one, "data") for one in data)]
    return Verdict.of(bound, Use(purpose="x")).as_dict()


def test_the_whole_card(made_once, golden):
    golden("card.md", text_of(made_once))


def test_hub_reads_the_front_matter(made_once):
    from huggingface_hub import ModelCard

    data = ModelCard(text_of(made_once)).data

    assert data.base_model == "google/gemma-3-270m"
    assert data.license == "gemma"
    assert data.library_name == "peft"
    assert data.pipeline_tag == "text-generation"
    assert data.language == ["zh", "en"]
    assert data.datasets is None  # a local file is no data set of the hub
    assert data.to_dict()["base_model_relation"] == "adapter"
    results = {(r.dataset_type, r.metric_type): r.metric_value for r in data.eval_results}
    assert results == {("open-book", "exact-match"): 1.0, ("open-book", "stop-rate"): 1.0}


def test_hub_keeps_the_interval_of_each_score_and_writes_it_again(made_once):
    from huggingface_hub import ModelCard, metadata_load
    from huggingface_hub.repocard_data import model_index_to_eval_results

    report = json.loads((made_once / "foundry/report.json").read_text(encoding="utf-8"))
    measured = {
        (s["part"], s["metric"]): {
            "n": s["n"],
            "interval_low": s["low"],
            "interval_high": s["high"],
            "interval_level": 0.95,
        }
        for s in report["scores"]
        if s["column"] == "tuned"
    }

    name, results = model_index_to_eval_results(
        metadata_load(made_once / "README.md")["model-index"]
    )
    again = ModelCard(str(ModelCard(text_of(made_once))))

    assert name == "retail-customer-service"
    for found in (results, again.data.eval_results):
        assert {(r.dataset_type, r.metric_type): r.metric_args for r in found} == measured


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["llama3.1", "own-data"], {"license": "llama3.1"}),
        (
            ["apertus", "cc0-1.0"],
            {
                "license": "other",
                "license_name": "apertus",
                "license_link": "https://huggingface.co/swiss-ai/Apertus-8B-Instruct-2509",
            },
        ),
        (
            ["taide-g", "own-data"],
            {
                "license": "other",
                "license_name": "taide-g-and-gemma",
                "license_link": "LICENCE.md",
            },
        ),
        (
            ["apache-2.0", "unknown"],
            {
                "license": "other",
                "license_name": "apache-2.0-and-unknown",
                "license_link": "LICENCE.md",
            },
        ),
        (
            ["gemma", "cc-by-sa-4.0", "cc0-1.0"],
            {
                "license": "other",
                "license_name": "gemma-and-cc-by-sa-4.0",
                "license_link": "LICENCE.md",
            },
        ),
    ],
)
def test_licence_is_the_hubs_or_other_with_name_and_link(values, names, found):
    told = matter(values | {"licence": under(*names)})

    assert {key: told[key] for key in told if key.startswith("license")} == found


@pytest.mark.parametrize(
    ("kind", "relation", "library"),
    [("gguf", "finetune", "gguf"), ("merged", "finetune", "transformers")],
)
def test_relation_follows_what_is_handed_over(values, kind, relation, library):
    values["record"]["exports"] = [values["record"]["exports"][1] | {"kind": kind}]

    found = matter(values)

    assert (found["base_model_relation"], found["library_name"]) == (relation, library)


def test_base_beside_tuned_with_n_and_interval(made_once):
    row = "| From the sheet | Same as the reference | 12 | 0.0 [0.0, 28.8] | 100.0 [71.2, 100.0] |"

    assert row in text_of(made_once)


def test_a_bar_in_a_name_does_not_break_the_table(made_once):
    assert "| AI \\| Foundry |" in text_of(made_once)


def values_and_headings(name: str, language: str) -> tuple[set[str], list[str]]:
    """What a card's template takes, and the levels of its headings."""
    source = cards.template(name, language).read_text(encoding="utf-8")
    environment = Environment(autoescape=True)
    environment.filters.update(by=str, has=str)
    used = meta.find_undeclared_variables(environment.parse(source))
    return used, re.findall(r"^#+", source, flags=re.MULTILINE)


def test_system_text_is_told_to_whoever_uses_it(tmp_path):
    inputs = make_run(tmp_path)
    encode = {**inputs.plan.values["encode"], "system": "你是店員。"}
    plan = replace(inputs.plan, values={**inputs.plan.values, "encode": encode})

    package = inputs.run.file(build_package(replace(inputs, plan=plan, chat=CHAT)).path)

    assert text_of(package).count("> 你是店員。") == 2
    assert read(package).chat.system == "你是店員。"


@pytest.mark.parametrize(
    "name", ["no", "1.5", "a: 1", "1e3", "[1]", "店 'A' \"1\"\n", "0x1f", "1_0"]
)
def test_front_matter_survives_words_that_yaml_reads_otherwise(values, name):
    values["record"]["name"] = name

    assert matter(values)["model-index"][0]["name"] == name


def test_small_score_is_a_number_for_the_hub(values):
    values["report"]["scores"][1]["mean"] = 0.00001

    assert matter(values)["model-index"][0]["results"][0]["metrics"][0]["value"] == 0.00001


@pytest.mark.parametrize(("kind", "times"), [("qlora", 2), ("lora", 0)])
def test_card_says_in_both_languages_what_was_in_four_bits(tmp_path: Path, kind: str, times: int):
    inputs = make_run(tmp_path)
    values = {**inputs.plan.values, "adapter": {"kind": kind}}
    inputs = replace(inputs, plan=replace(inputs.plan, values=values))

    text = text_of(inputs.run.file(build_package(inputs).path))

    assert text.count("NF4") == times  # C30


def test_card_says_what_training_took_and_that_a_session_without_a_meter_is_not_in_it(made_once):
    text = text_of(made_once)

    assert "- Training: 160.2 seconds, 50 steps, 60000 tokens, begun 2 times." in text
    assert "- Electricity: at least 0.00123 kWh (from: meter), NT$ 0.0045 (from: Taipower" in text


def test_card_says_that_nothing_was_recorded(tmp_path):
    inputs = make_run(tmp_path)
    (inputs.run.path.parent / "ledger.jsonl").unlink()

    text = text_of(inputs.run.file(build_package(inputs).path))

    assert "- What training took is not recorded." in text and "沒有紀錄" in text


def test_card_has_the_duties_and_what_the_licences_forbid_with_their_clauses(made_once):
    text = text_of(made_once)

    assert "- include a copy of the terms (`gemma`, clause 3.1(2))" in text
    assert "- use it against applicable law (`gemma`, clause 3.2)" in text
