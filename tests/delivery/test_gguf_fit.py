"""A GGUF file that could not be written is refused before anything is trained."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from foundry.core import plugins
from foundry.core.records import BaseModel
from foundry.delivery.gguf_fit import adapter_misfit, misfit, rope_types
from foundry.models.fetch import GGUF_NAME, locate
from tests import tiny, tiny_recipe


@pytest.fixture
def llama(tiny_llama: Path) -> BaseModel:
    return locate(str(tiny_llama), Path())


def test_family_that_is_proven_under_llama_cpp_fits(llama: BaseModel):
    assert misfit(llama) is None


def test_family_that_is_not_is_named_with_those_that_are(llama: BaseModel):
    found = misfit(replace(llama, family="qwen3"))

    assert found is not None
    assert "`qwen3` can be written yet; of these it can: gemma3, llama" in found.what
    assert found.fix == "export `merged` or `adapter` instead"


def test_adapter_without_a_file_to_stand_on_is_refused(llama: BaseModel):
    found = adapter_misfit(llama)

    assert found is not None
    assert "has no GGUF file for the adapter to be put on" in found.what
    assert adapter_misfit(replace(llama, gguf="base.gguf")) is None


def test_tokenizer_of_an_unknown_kind_needs_a_file_of_the_base(llama: BaseModel, tmp_path: Path):
    folder = Path(llama.folder)
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    definition = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    definition["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = " "
    (tmp_path / "tokenizer.json").write_text(json.dumps(definition), encoding="utf-8")
    other = replace(llama, folder=str(tmp_path))

    found = misfit(other)

    assert found is not None
    assert "the tokenizer's kind is not known" in found.what
    assert misfit(replace(other, gguf="base.gguf")) is None


@pytest.mark.parametrize(
    ("config", "kinds"),
    [
        ({"rope_theta": 1e4}, {"default"}),
        ({"rope_scaling": {"type": "linear", "factor": 8.0}}, {"default", "linear"}),
        ({"rope_parameters": {"rope_type": "yarn"}}, {"default", "yarn"}),
        (
            {"text_config": {"rope_parameters": {"full_attention": {"rope_type": "linear"}}}},
            {"default", "linear"},
        ),
    ],
)
def test_kinds_of_rotary_positions_are_read_in_old_and_new_configurations(config, kinds):
    assert set(rope_types(config)) == kinds


def test_kind_that_no_file_was_proven_with_is_refused(llama: BaseModel, tmp_path: Path):
    config = json.loads((Path(llama.folder) / "config.json").read_text(encoding="utf-8"))
    config["rope_parameters"] = {"rope_type": "yarn", "factor": 4.0}
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")

    found = misfit(replace(llama, folder=str(tmp_path), gguf="base.gguf"))

    assert found is not None
    assert "rotary positions of the kind `yarn`" in found.what


def test_every_exporter_says_whether_it_fits(llama: BaseModel):
    for kind in plugins.names("exporter"):
        problem = plugins.load("exporter", kind).misfit(llama)
        assert problem is None or problem.what


def test_run_is_refused_at_its_plan_by_the_line_of_the_export(one_thread: None, tmp_path: Path):
    base = tiny.build(tmp_path / "qwen", "qwen3")
    made = tiny_recipe.lay_out(tmp_path / "tiny", base, exports=[{"kind": "gguf"}])

    outcome = made.train("--json")

    assert outcome.code == 2
    (problem,) = outcome.document["problems"]
    assert problem["where"].startswith("recipe.yaml:")
    assert "exports.0.kind: no GGUF file of the family `qwen3` can be" in problem["what"]
    assert not (made.folder / "base" / GGUF_NAME).exists()
    assert not made.runs.exists()
