"""The JSON Schema takes every shipped recipe and refuses what the loader refuses."""

import json

import jsonschema
import pytest

from foundry.core import plugins, shipped
from foundry.core.errors import Place
from foundry.core.outline import outline
from foundry.core.schema import schema
from foundry.core.yaml_places import read

NUMBER_OF_SHIPPED_RECIPES = 3


@pytest.fixture(scope="module")
def validator():
    return jsonschema.Draft202012Validator(schema())


def plain(text: str):
    return read(text, lambda line, column: Place("f", line, column))[0].plain()


def shipped_values():
    files = sorted((shipped.root() / "recipes").rglob("*.yaml"))
    assert len(files) == NUMBER_OF_SHIPPED_RECIPES
    return [pytest.param(plain(f.read_text(encoding="utf-8")), id=f.stem) for f in files]


def test_schema_is_a_schema(validator):
    jsonschema.Draft202012Validator.check_schema(validator.schema)


def test_schema_is_json(validator):
    assert json.loads(json.dumps(validator.schema, allow_nan=False)) == validator.schema


@pytest.mark.parametrize("values", shipped_values())
def test_shipped_recipe_is_valid(validator, values):
    assert [error.message for error in validator.iter_errors(values)] == []


BASE = """
schema_version: 1
name: shop
title: {zh-TW: 店, en: Shop}
base_model: gemma-3-270m
purpose: customer-service
data:
  sources: [{path: a.csv, licence: CC0-1.0, declaration: {basis: own-work, by: Us}}]
  format: {kind: question-answer}
"""


@pytest.mark.parametrize(
    "more",
    [
        *("extends: [adapters/lora]", "adapter: {rank: 8}", "adapter: {kind: lora, alpha: 1e1}"),
        *("train: {micro_batch_size: auto}", "exports: [{kind: gguf}]", "seed: 3"),
    ],
)
def test_good_recipe_is_valid(validator, more):
    assert validator.is_valid(plain(BASE + more))


@pytest.mark.parametrize(
    "more",
    [
        *("learning_rate: 1e-4", "adapter: {rnak: 8}", "adapter: {kind: loar}"),
        *("extends: [adapters/lroa]", "exports: [{quantization: f16}]", "exports: {kind: gguf}"),
        *("train: {learning_rate: abc}", "train: {micro_batch_size: 0}", "train: {epochs: 0}"),
        *("evals: [{kind: declines}]", "package: {version: '1'}", "gates: [{min: 1}]"),
        "gates: [{metric: a, max_drop_pp: -1}]",
    ],
)
def test_bad_recipe_is_invalid(validator, more):
    assert not validator.is_valid(plain(BASE + more))


def test_every_plugin_is_in_the_schema(validator):
    text = json.dumps(validator.schema)

    for point in ("format", "adapter", "trainer", "reward", "exporter", "evaluator"):
        for kind in plugins.names(point):
            assert f'"kind": {{"const": "{kind}"}}' in text


def test_every_key_of_every_plugin_is_described():
    undescribed = [path for path, field in outline(None).items() if not field.description]
    for point in ("format", "adapter", "trainer", "reward", "exporter", "evaluator"):
        for kind in plugins.names(point):
            fields = plugins.load(point, kind).Spec.model_fields
            undescribed += [(point, kind, key) for key, f in fields.items() if not f.description]

    assert undescribed == []


def test_every_plugin_refuses_unknown_keys():
    for point in ("format", "adapter", "trainer", "reward", "exporter", "evaluator"):
        for kind in plugins.names(point):
            assert plugins.load(point, kind).Spec.model_config["extra"] == "forbid", kind
