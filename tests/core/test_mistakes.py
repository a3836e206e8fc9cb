"""Every mistake has place, key, what was found and an edit; none hides another (C62, C63)."""

import pytest

from foundry.core import suggest
from foundry.core.outline import outline

# The recipe of issue and case C63: five kinds of mistake at once.
BAD = """\
schema_version: 1
name: shop
title: {zh-TW: 店, en: Shop}
extends: [adapters/lroa]
base_model: gemma-3-270m
purpose: customer-service
learning_rate: 1e-4
data:
  sources:
    - {path: a.csv, licence: CC0-1.0, declaration: {basis: own-work, by: Us}}
  format: {kind: question-answer}
  format: {kind: chat}
adapter: {rnak: 16}
train: {max_steps: fifty}
"""


STEPS = "a whole number of at least 1"
YES_NO = "`true` or `false`"
SCHEDULES = "one of `linear`, `cosine`, `constant`"


def one(found: list[str]) -> str:
    assert len(found) == 1, found
    return found[0]


def test_five_kinds_of_mistake_are_told_at_once_in_the_order_of_the_file(mistakes):
    assert mistakes(text=BAD) == [
        "shop.yaml:4:11: extends.0: unknown fragment `adapters/lroa`; there are: adapters/dora, "
        "adapters/full, adapters/hira, adapters/ia3, adapters/lora, adapters/lora-plus, "
        "adapters/oft, adapters/olora, adapters/pissa, adapters/qlora, adapters/rslora, "
        "adapters/vera\n"
        "  fix: use `adapters/lora`",
        "shop.yaml:7:1: learning_rate: unknown key\n  fix: move it to `train.learning_rate`",
        "shop.yaml:12:3: data.format: this key stands here a second time (first in line 11)\n"
        "  fix: remove one of the two",
        "shop.yaml:13:11: adapter.rnak: unknown key\n  fix: rename it to `rank`",
        "shop.yaml:14:9: train.max_steps: must be a whole number of at least 1; "
        "got the text `fifty`\n"
        "  fix: write a whole number of at least 1: "
        "Optimizer steps to take; give this or `epochs`, not both.",
    ]


@pytest.mark.parametrize("rate", ["abc", ".nan", "-1", "0", "1.1", "1e999", '"abc"', "nan", "true"])
def test_impossible_learning_rate_is_refused_with_key_and_line(mistakes, rate):
    problem = one(mistakes(f"train:\n  learning_rate: {rate}"))

    assert problem.startswith(
        "shop.yaml:11:3: train.learning_rate: must be a number greater than 0 and at most 1 or "
        "`auto`; got "
    )
    assert problem.endswith("fix: write `learning_rate: auto`")


@pytest.mark.parametrize(
    ("key", "fix"),
    [
        ("learning_rate", "move it to `train.learning_rate`"),
        ("lora_r", "move it to `adapter.rank`"),
        ("max_seq_len", "move it to `encode.max_seq_len`"),
        ("max_length", "move it to `encode.max_seq_len`"),
        ("format", "move it to `data.format`"),
        ("license", "move it to `data.sources.0.licence`"),
        ("base-model", "rename it to `base_model`"),
        ("Base_Model", "rename it to `base_model`"),
        ("model", "rename it to `base_model`"),
        ("eval", "rename it to `evals`"),
        ("learnign_rate", "move it to `train.learning_rate`"),
        ("wholly_other", "remove it; accepted here: schema_version, name, title"),
    ],
)
def test_unknown_key_at_the_top(mistakes, key, fix):
    problem = one(mistakes(f"{key}: 1"))

    assert problem.startswith(f"shop.yaml:10:1: {key}: unknown key\n  fix: {fix}")


@pytest.mark.parametrize(
    ("key", "fix"),
    [
        ("num-epochs", "rename it to `epochs`"),
        ("numTrainEpochs", "rename it to `epochs`"),
        ("lr", "rename it to `learning_rate`"),
        ("per_device_train_batch_size", "rename it to `micro_batch_size`"),
        ("lora_alpha", "move it to `adapter.alpha`"),
        ("rank", "move it to `adapter.rank`"),
    ],
)
def test_unknown_key_in_a_block(mistakes, key, fix):
    assert one(mistakes(f"train: {{{key}: 1}}")).endswith(f"train.{key}: unknown key\n  fix: {fix}")


def test_unknown_key_three_levels_down(mistakes):
    problem = one(mistakes(sets=("data.sources.0.declaration.bye=Us",)))

    assert problem.endswith("declaration.bye: unknown key\n  fix: rename it to `by`")


def test_unknown_key_in_an_item_of_a_list(mistakes):
    problem = one(mistakes("exports:\n  - kind: gguf\n    quantisation: f16\n"))

    assert problem.startswith("shop.yaml:12:5: exports.0.quantisation: unknown key")
    assert problem.endswith("rename it to `quantization`")


def test_unknown_key_where_nothing_is_accepted_but_kind(mistakes):
    problem = one(mistakes("exports: [{kind: adapter, zzz: 1}]"))

    assert problem.endswith("fix: remove it; accepted here: kind")


def test_misspelt_required_key_is_told_once(mistakes, good):
    problem = one(mistakes(text=good.replace("licence", "license")))

    assert problem.endswith("data.sources.0.license: unknown key\n  fix: rename it to `licence`")


def test_missing_key_is_told_with_its_meaning(mistakes, good):
    problem = one(mistakes(text=good.replace("base_model: gemma-3-270m\n", "")))

    assert problem.startswith(
        "shop.yaml:1:1: base_model: this key is required\n  fix: add `base_model:`"
    )
    assert "A name of `foundry model list`" in problem


def test_missing_key_of_a_block_stands_at_the_block(mistakes):
    problem = one(mistakes("train: {early_stopping: {}}"))

    assert problem.startswith("shop.yaml:10:9: train.early_stopping.patience: this key is required")


def test_split_that_holds_out_nothing_is_told(mistakes):
    problem = one(mistakes("  split: {}"))

    assert problem.startswith("shop.yaml:10:3: data.split: the split holds out nothing")


@pytest.mark.parametrize(
    ("line", "what", "fix"),
    [
        ("train: {max_steps: '50'}", f"{STEPS}; got the text `50`", "max_steps: 50"),
        ("train: {max_steps: 50.0}", f"{STEPS}; got the number 50.0", "max_steps: 50"),
        ("adapter: {rank: true}", "a whole number of at least 1 and at most 1024; got `true`", ""),
        ("train: {deterministic: yes}", f"{YES_NO}; got the text `yes`", "true"),
        (
            "train: {gradient_checkpointing: off}",
            f"{YES_NO} or `auto`; got the text `off`",
            "false",
        ),
        ("train: {schedule: cosin}", f"{SCHEDULES}; got the text `cosin`", "schedule: cosine"),
        ("train: {schedule: 3}", f"{SCHEDULES}; got the number 3", ""),
        (
            "train: {micro_batch_size: x}",
            "a whole number of at least 1 or `auto`; got the text `x`",
            "auto",
        ),
        ("train: {micro_batch_size: 0}", "a number of at least 1 or `auto`; got the number 0", ""),
        ("adapter: {target_modules: 5}", "`all-linear` or a list; got the number 5", ""),
        ("adapter: {dropout: 1}", "a number of at least 0 and less than 1; got the number 1", ""),
        ("package: {author: 5}", "text; got the number 5", 'author: "5"'),
        ("package: {version: 1.0}", "text; got the number 1.0", ""),
        ("package: {version: one}", "a semantic version such as `1.0.0`; got the text `one`", ""),
        ("encode: 3", "a block of keys; got the number 3", ""),
        ("encode: {system: ''}", "text that is not empty; got the text ``", ""),
        ("encode: [a, b]", "a block of keys; got a list of 2", ""),
        ("seed:", "a whole number of at least 0 and at most 4294967295; got nothing", ""),
    ],
)
def test_wrong_value_says_what_is_wanted_and_what_was_found(mistakes, line, what, fix):
    problem = one(mistakes(line))

    assert f": must be {what}\n" in problem
    assert not fix or problem.endswith(f"{fix}`")


@pytest.mark.parametrize(
    ("line", "fix"),
    [
        ("evaluation: {languages: en}", "write `languages: [en]`"),
        ("exports: {kind: gguf}", "begin each item of the list with `- `"),
        ("exports: [gguf]", "write `{kind: gguf}`"),
        ("adapter: lora", "write `adapter: {kind: lora}`"),
        ("adapter: {target_modules: [1]}", 'write `"1"`'),
        ("encode: {overlong: cut}", "write for example `overlong: drop`"),
        ("adapter: {rank: 0}", "write for example `rank: 16`"),
        ("package: {version: '1'}", "write for example `version: 1.0.0`"),
    ],
)
def test_fix_is_an_edit_that_the_field_accepts(mistakes, line, fix):
    assert one(mistakes(line)).endswith(f"fix: {fix}")


def test_name_with_capitals_is_rewritten(mistakes):
    problem = one(mistakes(sets=("name=My Shop!",)))

    assert "must be lower-case letters, digits and hyphens; got the text `My Shop!`" in problem
    assert problem.endswith("fix: write `name: my-shop`")


def test_schema_version_in_quotes_is_told_how_to_be_written(mistakes):
    assert one(mistakes(sets=("schema_version='1'",))).endswith("fix: write `schema_version: 1`")


def test_long_value_is_cut_in_the_message(mistakes):
    problem = one(mistakes(sets=("seed=" + "x" * 500,)))

    assert "x" * 60 + "…`" in problem and "x" * 61 not in problem


@pytest.mark.parametrize(
    ("line", "known", "fix"),
    [
        (
            "adapter: {kind: loar}",
            "unknown adapter `loar`; there are: dora, full, hira, ia3, lora, ",
            "use `lora`",
        ),
        ("exports: [{kind: ggfu}]", "unknown exporter `ggfu`; there are: adapter, ", "use `gguf`"),
        (
            "adapter: {kind: 5}",
            "unknown adapter `5`; there are: dora, full, hira, ia3, lora, ",
            "choose one of the names",
        ),
        ("adapter: {kind: [a]}", "unknown adapter `['a']`", "choose one of the names"),
    ],
)
def test_unknown_plugin_lists_those_there_are_and_the_nearest(mistakes, line, known, fix):
    problem = one(mistakes(line))

    assert known in problem
    assert f"fix: {fix}" in problem


def test_unknown_source_kind_names_the_nearest(mistakes):
    problem = one(mistakes(sets=("data.sources.0.read.kind=csvv",)))

    assert "unknown source `csvv`" in problem and problem.endswith("fix: use `csv`")


def test_block_without_a_kind_asks_for_it(mistakes):
    problem = one(mistakes("exports: [{quantization: f16}]"))

    assert "exports.0.kind: this key is required" in problem


def test_steps_and_epochs_together_are_refused(mistakes):
    problem = one(mistakes("train: {max_steps: 5, epochs: 1}"))

    assert problem == (
        "shop.yaml:10:1: train: give `max_steps` or `epochs`, not both\n"
        "  fix: remove one of them, or set it to `null`"
    )


def test_empty_list_of_sources_needs_an_item(mistakes):
    problem = one(mistakes(sets=("data.sources=[]",)))

    assert "data.sources: must be a list of at least 1; got a list of 0" in problem


def test_flood_of_mistakes_is_cut_and_counted(mistakes):
    found = mistakes("gates:\n" + "  - {metric: a, part: b, min: 1}\n" * 200)

    assert len(found) == 101
    assert found[-1] == "and 300 more problems"


def test_every_foreign_name_leads_to_a_key_there_is():
    known = {path[-1] for path in outline(None)}

    assert set(suggest.FOREIGN.values()) <= known


def test_no_foreign_name_is_a_key_of_ours():
    assert not set(suggest.FOREIGN) & {path[-1] for path in outline(None)}


def test_validation_is_given_once_and_leaves_something_to_learn(mistakes):
    twice = "  split: {validation: 0.1}\n  validation: [{path: a.csv}]"

    assert "give `validation` or `split.validation`, not both" in one(mistakes(twice))
    assert "leaves nothing to learn" in one(mistakes("  split: {test: 0.6, validation: 0.5}"))
