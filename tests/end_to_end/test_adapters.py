"""Recipes of every adapter taken through training, exports and evaluation."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from foundry.delivery.artefact import Tuned
from foundry.models.fetch import locate
from foundry.models.load import load_model
from foundry.train import adapter_files
from tests import tiny_recipe
from tests.cases import case, change
from tests.support import REFUSED, covers
from tests.tiny_recipe import RECIPE, TinyRecipe

WHOLE = [{"kind": "merged"}, {"kind": "gguf"}]


def laid_out(folder: Path, base: Path, adapter: dict[str, Any], **more: Any) -> TinyRecipe:
    return tiny_recipe.lay_out(folder / "tiny", base, adapter=adapter, **more)


merge = Tuned.freshly_merged


def merged_in_four_bits(tuned: Tuned) -> Any:
    """The update is added to what four bits hold of the base."""
    in_full = merge(tuned)
    coarse = load_model(tuned.base, storage="nf4").dequantize()
    plain = load_model(tuned.base)
    with torch.no_grad():
        for name, parameter in in_full.named_parameters():
            parameter += coarse.get_parameter(name) - plain.get_parameter(name)
    return in_full


EVERY = ("adapter", "merged", "gguf", "gguf-adapter")


@covers(lambda: [{"adapter": "qlora", "exporter": one} for one in EVERY])
@case("C30", {"it is merged into four bits": change(Tuned, "freshly_merged", merged_in_four_bits)})
def test_update_of_four_bits_is_delivered_on_the_base_in_full(tiny_base: Path, tmp_path: Path):
    exports = [{"kind": one} for one in EVERY]
    adapter = {"kind": "qlora", "rank": 8, "alpha": 64}
    recipe = laid_out(tmp_path, tiny_base, adapter, exports=exports)

    outcome = recipe.train("--until", "export", "--json")

    assert outcome.code == 0, outcome.err
    parity = outcome.document["parity"]
    assert set(parity) == {"adapter", "merged-float32", "gguf-q8_0", "gguf-adapter-f32"}
    assert parity["merged-float32"]["largest_logprob_difference"] <= 1e-4
    assert outcome.document["proof"]["reload"]["largest_difference"] <= 1e-5
    base = locate(str(recipe.folder / "base"), recipe.folder)
    tuned = adapter_files.load_tuned(base, recipe.run.file("adapter"))
    merged = load_file(recipe.run.file("exports", "merged-float32", "model.safetensors"))
    layer = tuned.base_model.model.model.layers[0].mlp.up_proj
    expected = layer.base_layer.weight + layer.get_delta_weight("default")
    assert torch.equal(merged["model.layers.0.mlp.up_proj.weight"], expected.detach())


@covers(lambda: [{"adapter": "full", "exporter": one["kind"]} for one in WHOLE])
def test_model_whose_weights_were_all_trained_is_delivered(tiny_base: Path, tmp_path: Path):
    train = {**RECIPE["train"], "learning_rate": 5e-3}
    recipe = laid_out(tmp_path, tiny_base, {"kind": "full"}, exports=WHOLE, train=train)

    outcome = recipe.train("--json")

    assert outcome.code == 0, outcome.err
    folder = recipe.run.file("model")
    assert (folder / "model.safetensors").is_file()
    assert (folder / "tokenizer.json").is_file()
    assert not recipe.run.file("adapter").exists()
    assert set(outcome.document["parity"]) == {"merged-float32", "gguf-q8_0"}
    before = load_file(recipe.folder / "base" / "model.safetensors")
    after = load_file(folder / "model.safetensors")
    assert set(after) == set(before)
    assert [name for name in after if torch.equal(after[name], before[name])] == []
    report = json.loads(recipe.run.file("evals", "report.json").read_text(encoding="utf-8"))
    base, tuned = (
        [
            s["mean"]
            for s in report["scores"]
            if s["column"] == column and s["metric"] == "exact-match"
        ]
        for column in ("base", "tuned")
    )
    assert sum(tuned) > sum(base)


def test_adapter_file_that_is_delivered_alone_is_measured(tiny_base: Path, tmp_path: Path):
    exports = [{"kind": "adapter"}, {"kind": "gguf-adapter"}]
    recipe = laid_out(tmp_path, tiny_base, dict(RECIPE["adapter"]), exports=exports)

    outcome = recipe.train("--json")

    assert outcome.code == 0, outcome.err
    report = json.loads(recipe.run.file("evals", "report.json").read_text(encoding="utf-8"))
    columns = {column["role"]: column for column in report["columns"]}
    assert columns["delivered"]["same_text_as_tuned"] == report["parts"][0]["n"] > 0
    assert columns["delivered"]["answers_sha256"] == columns["tuned"]["answers_sha256"]
    assert columns["delivered"]["answers_sha256"] != columns["base"]["answers_sha256"]
    asked = tiny_recipe.call("eval", str(recipe.package), "--out", str(tmp_path / "asked"))
    assert asked.code == 0, asked.err
    told = [line.split() for line in asked.out.splitlines() if "gguf-adapter-f32 − adapter" in line]
    assert [*told[0][:2], *told[0][5:8]] == ["exact-match", "test", "+0.000", "[-1.000,", "+1.000]"]
    assert told[0][8:] == ["2", "NOT", "ENOUGH", "DATA"]


@covers(lambda kind: [{"adapter": "full", "exporter": kind, REFUSED: "there is no update"}])
@pytest.mark.parametrize("kind", ["adapter", "gguf-adapter"])
def test_export_of_an_adapter_is_refused_where_there_is_none(
    tiny_base: Path, tmp_path: Path, kind: str
):
    recipe = laid_out(tmp_path, tiny_base, {"kind": "full"}, exports=[{"kind": kind}])

    outcome = recipe.train("--dry-run")

    assert outcome.code == 2
    assert "exports.0.kind: `full` trains the weights themselves" in outcome.err
    assert "fix: set it to `merged` or `gguf`, or set `adapter.kind: lora`" in outcome.err
    assert not recipe.runs.exists()
