"""A broken JSON file of a model folder is refused by name, key and value, never by a traceback."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from foundry.core.errors import Problem, ResourceError
from foundry.models.at_hand import at_hand
from foundry.models.embedded import RECORD_NAME
from foundry.models.fetch import locate
from foundry.models.folder import INDEX, weight_names
from foundry.models.light_tokenizer import open_light
from foundry.models.load import load_config
from tests import hostile

CONFIG = "config.json"


@pytest.fixture
def folder(tiny_llama: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model, to be broken."""
    return Path(shutil.copytree(tiny_llama, tmp_path / "base"))


def told(find: Any, *arguments: Any) -> Problem:
    """What is told when the folder is looked for or opened."""
    with pytest.raises(ResourceError) as error:
        find(*arguments)
    (problem,) = error.value.problems
    return problem


@pytest.mark.parametrize("find", [locate, at_hand])
@pytest.mark.parametrize("value", [[], 3, "llama", None])
def test_configuration_that_is_no_object_is_told(folder: Path, find: Any, value: Any):
    (folder / CONFIG).write_text(json.dumps(value), encoding="utf-8")

    problem = told(find, str(folder), folder)

    assert problem.where == str(folder / CONFIG)
    assert problem.what.startswith("must be a JSON object (found: ")
    assert problem.fix == "fetch it again"


@pytest.mark.parametrize("find", [locate, at_hand])
def test_type_that_is_no_text_is_told_as_one_that_is_not_known(folder: Path, find: Any):
    hostile.edit(folder / CONFIG, model_type=["llama"])

    assert told(find, str(folder), folder).what.startswith("models of the type `['llama']` cannot")


@pytest.mark.parametrize(
    ("file", "values", "what"),
    [
        (CONFIG, {"quantization_config": "int4"}, 'must be an object (found: "int4")'),
        (CONFIG, {"quantization_config": {"quant_method": ["x"]}}, "are quantised (['x'])"),
        (CONFIG, {"max_position_embeddings": "many"}, 'a number of tokens (found: "many")'),
        (CONFIG, {"max_position_embeddings": [512]}, "must be a number of tokens (found: [512])"),
        (CONFIG, {"max_position_embeddings": -1}, "must be a number of tokens (found: -1)"),
        (CONFIG, {"max_position_embeddings": float("inf")}, "a number of tokens (found: Infinity)"),
        (RECORD_NAME, {"parameters": 3}, "`sha256` must be a text (found: null)"),
        (RECORD_NAME, {"sha256": "0", "parameters": "3"}, "`parameters` must be a number"),
        (INDEX, {}, "`weight_map` must be an object of file names (found: null)"),
        (INDEX, {"weight_map": ["model.safetensors"]}, "must be an object of file names"),
        (INDEX, {"weight_map": "model.safetensors"}, "must be an object of file names"),
    ],
)
def test_wrong_value_is_told_with_file_and_key(
    folder: Path, file: str, values: dict[str, Any], what: str
):
    hostile.edit(folder / file, **values)

    problem = told(locate, str(folder), folder)

    assert problem.where == str(folder / file)
    assert what in problem.what


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"{", "not a JSON file"),
        (b"[]", "must be a JSON object"),
        (b"\xff\xfe{", "not a JSON file"),
        (b'{"weight_map": {"a": ["b"]}}', "must be an object of file names"),
        (b"[" * 100_000, "not a JSON file"),
    ],
)
def test_index_is_checked_where_nobody_looked_at_it_before(
    tmp_path: Path, content: bytes, what: str
):  # a fetch reads it before the weights that it names are here
    (tmp_path / INDEX).write_bytes(content)

    problem = told(weight_names, tmp_path, ["model.safetensors"])

    assert problem.where == str(tmp_path / INDEX)
    assert what in problem.what


@pytest.mark.parametrize("file", ["tokenizer.json", "tokenizer_config.json"])
@pytest.mark.parametrize("content", ["[]", '{"version": '])
def test_broken_tokenizer_is_told(folder: Path, file: str, content: str):
    (folder / file).write_text(content, encoding="utf-8")

    problem = told(open_light, folder)

    assert problem.where == str(folder / file)
    assert problem.fix == "fetch it again"


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"hidden_size": "x"}, "'hidden_size' expected int"),
        ({"num_attention_heads": 7}, "not a multiple of the number of attention heads (7)"),
    ],
)
def test_value_that_transformers_refuses_is_told(folder: Path, values: dict[str, Any], reason: str):
    hostile.edit(folder / CONFIG, **values)

    problem = told(load_config, folder)

    assert problem.where == str(folder / CONFIG)
    assert reason in problem.what
