"""The methods paragraph says what was done, no more, in both languages."""

import pytest

from foundry.evals.answering import OPTION_RULE, TEXT_RULE
from foundry.evals.compare import Evidence
from foundry.evals.comparison import Roles
from foundry.evals.methods import JOINTS, SENTENCES, methods
from foundry.evals.wording import LANGUAGES
from tests.evals.test_report_page import fields

FACTS = {
    "settings": {
        "base_model": "gemma-3-270m",
        "seed": 11,
        "adapter": {"kind": "lora"},
        "train": {"kind": "sft"},
    },
    "training": {"steps": 75, "tokens": 43210},
    "environment": {
        "foundry": "0.1.0",
        "python": "3.11.7",
        "packages": {"torch": "2.13.0", "scipy": "1.17.1", "gguf": "0.19.0", "numpy": None},
    },
}


@pytest.fixture(scope="module")
def report(unchanged_shop):
    shop = unchanged_shop
    columns = [
        shop.column("base", shop.right(4)),
        shop.column("base-few-shot", shop.right(9), {**shop.settings, "few_shot": 4}),
        shop.column("tuned", shop.right(30)),
    ]
    evidence = Evidence({"en": "Shop", "zh-TW": "商店"}, facts=FACTS)
    roles = Roles(base=("base", "base-few-shot"), tuned="tuned")
    return shop.report(columns, roles=roles, evidence=evidence)


def test_paragraph_states_items_models_training_statistics_and_software(report):
    said = report["methods"]["en"]

    assert "The test comprised 52 items in 32 groups (facts: 40 in 20; outside: 12 in 12)" in said
    assert "base model; base-few-shot model; tuned model" in said
    assert "at most 64 new tokens" in said
    assert (
        "“base-few-shot model” was shown solved examples from the training rows (4 a prompt)"
        in said
    )
    assert "gemma-3-270m with lora (sft) and took 75 steps and 43210 tokens with seed 11" in said
    assert "(required-facts, v1)" in said
    assert "95% confidence intervals" in said and "2000 draws" in said and "9999 draws" in said
    assert "fewer than 6 groups" in said and "seed of all statistics was 7" in said
    assert "AI Foundry 0.1.0, Python 3.11.7, torch 2.13.0; scipy 1.17.1." in said


def decoded(report, decoding):
    """The paragraph where every model was asked in one way."""
    columns = [
        {**c, "settings": {**c["settings"], "decoding": decoding}} for c in report["columns"]
    ]
    return methods({**report, "columns": columns})


@pytest.mark.parametrize("rule", [OPTION_RULE, TEXT_RULE])
def test_where_nothing_is_written_the_rule_is_said(report, rule):
    said = decoded(report, {"greedy": True, "max_new_tokens": 0, "rule": rule})

    assert f"what counted was {rule}" in said["en"] and "new tokens" not in said["en"]
    assert "對數機率" in said["zh-TW"] and "新詞元" not in said["zh-TW"]


def test_reward_models_are_not_said_to_decode(report):
    said = decoded(report, {"greedy": True, "max_new_tokens": 0, "stop_strings": []})

    assert "decoded greedily" not in said["en"] and "wrote nothing" not in said["en"]


def test_items_that_evaluators_bring_are_told_apart(report):
    brought = {"name": "controls", "title": {"en": "General", "zh-TW": "一般"}, "n": 32}
    brought |= {"groups": 30, "brought_by": "controls"}

    said = methods({**report, "parts": [*report["parts"], brought]})["en"]

    assert "The test comprised 52 items in 32 groups (facts: 40 in 20; outside: 12 in 12)" in said
    assert "Evaluators brought further items (General: 32 in 30), which neither" in said


def test_both_languages_hold_the_same_numbers(report):
    chinese = report["methods"]["zh-TW"]

    for number in ("52", "32", "64", "75", "43210", "11", "95%", "2000", "9999", "2.13.0"):
        assert number in chinese


def test_what_is_not_known_is_not_mentioned(report):
    bare = {**report, "facts": {}, "columns": []}

    said = methods(bare)["en"]

    assert "Training" not in said and "Software" not in said and "decoded" not in said


def test_every_sentence_is_there_in_every_language():
    assert {*JOINTS} == {*LANGUAGES}
    for text in SENTENCES.values():
        assert {*text} == {*LANGUAGES}
        assert fields(text["en"]) == fields(text["zh-TW"])
