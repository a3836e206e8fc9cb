"""The model card: front matter that the hub reads, and the same facts in both languages."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from jinja2 import Environment, meta

from foundry.delivery import card as cards
from foundry.delivery.card import Evidence, front_matter
from foundry.delivery.package import build_package
from foundry.delivery.package_record import PackageRecord, read
from foundry.policy import licence
from tests.delivery.made_run import CHAT, make_run


def text_of(package: Path) -> str:
    return (package / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def record(made_once) -> PackageRecord:
    return read(made_once)


@pytest.fixture(scope="session")
def evidence(made_once) -> Evidence:
    names = ("manifest", "mask_report", "train", "report")
    values = [
        json.loads((made_once / f"foundry/{n}.json").read_text(encoding="utf-8")) for n in names
    ]
    return Evidence(*values)


def test_the_whole_card(made_once, golden):
    golden("card.md", text_of(made_once))


def test_hub_reads_the_front_matter(made_once):
    from huggingface_hub import ModelCard

    data = ModelCard(text_of(made_once)).data

    assert data.base_model == "google/gemma-3-270m"
    assert data.license == "gemma"
    assert data.library_name == "peft"
    assert data.pipeline_tag == "text-generation"
    assert data.to_dict()["base_model_relation"] == "adapter"
    results = {(r.dataset_type, r.metric_type): r.metric_value for r in data.eval_results}
    assert results == {("open-book", "exact-match"): 1.0, ("open-book", "stop-rate"): 1.0}


def test_licence_the_hub_does_not_know_is_other(record, evidence):
    found = front_matter(record, evidence, licence.find("taide-g"), "lora")

    assert found["license"] == "other"
    assert found["license_name"] == "taide-g"
    assert found["license_link"]


@pytest.mark.parametrize(
    ("kind", "relation", "library"),
    [("gguf", "finetune", "gguf"), ("merged", "finetune", "transformers")],
)
def test_relation_follows_what_is_handed_over(record, evidence, kind, relation, library):
    export = record.exports[1].model_copy(update={"kind": kind})
    alone = record.model_copy(update={"exports": (export,)})

    found = front_matter(alone, evidence, licence.find("gemma"), "lora")

    assert (found["base_model_relation"], found["library_name"]) == (relation, library)


def test_base_beside_tuned_with_n_and_interval(made_once):
    row = "| From the sheet | Same as the reference | 12 | 0.0 [0.0, 28.8] | 100.0 [71.2, 100.0] |"

    assert row in text_of(made_once)


def test_a_bar_in_a_name_does_not_break_the_table(made_once):
    assert "| AI \\| Foundry |" in text_of(made_once)


def test_both_languages_use_the_same_values_and_headings():
    used, headings = [], []
    for language in cards.LANGUAGES:
        source = Path(cards.__file__).with_name(f"card.{language}.md.jinja").read_text("utf-8")
        used.append(meta.find_undeclared_variables(Environment(autoescape=True).parse(source)))
        headings.append(re.findall(r"^#+", source, flags=re.MULTILINE))

    assert used[0] == used[1]
    assert headings[0] == headings[1]


def test_system_text_is_told_to_whoever_uses_it(tmp_path):
    inputs = make_run(tmp_path)
    encode = {**inputs.plan.values["encode"], "system": "你是店員。"}
    plan = replace(inputs.plan, values={**inputs.plan.values, "encode": encode})

    package = inputs.run.file(build_package(replace(inputs, plan=plan, chat=CHAT)).path)

    assert text_of(package).count("> 你是店員。") == 2
    assert read(package).chat.system == "你是店員。"


def test_front_matter_survives_words_that_yaml_reads_otherwise(record, evidence):
    odd = record.model_copy(update={"name": "no"})

    found = front_matter(odd, evidence, licence.find("gemma"), "lora")

    assert yaml.safe_load(yaml.safe_dump(found))["model-index"][0]["name"] == "no"


@pytest.mark.parametrize(("kind", "times"), [("qlora", 2), ("lora", 0)])
def test_card_says_in_both_languages_what_was_in_four_bits(tmp_path: Path, kind: str, times: int):
    inputs = make_run(tmp_path)
    values = {**inputs.plan.values, "adapter": {"kind": kind}}
    inputs = replace(inputs, plan=replace(inputs.plan, values=values))

    text = text_of(inputs.run.file(build_package(inputs).path))

    assert text.count("NF4") == times  # C30
