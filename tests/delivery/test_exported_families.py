"""Artefacts of the classes and rotary positions that hub models have, each proven."""

import json
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from foundry.core.errors import ProofError
from foundry.core.events import Events
from foundry.core.rundir import RunDir
from foundry.delivery.export import export
from foundry.models.families import gemma3, llama
from foundry.train.adapters.lora import Spec
from tests import tiny
from tests.delivery.shelf import KINDS, spec
from tests.support import covers
from tests.tiny_models import MODELS
from tests.tiny_run import Setup, Trained, train

WEIGHTS = "model.safetensors"


def trained(name: str, folder: Path, *, steps: int = 40, tied: bool = True) -> Trained:
    """A tiny model that knows its rows by heart."""
    base = tiny.build(folder / name, name, tied=tied)
    (base / "preprocessor_config.json").write_text("{}", encoding="utf-8")
    spec = Spec(rank=16, alpha=32)
    # Some templates put a long system turn before every conversation.
    setup = Setup(base, steps, micro_batch_size=8, adapter=spec, max_seq_len=384)
    return train(setup, folder / "run")


def made(known: Trained, name: str, folder: Path) -> dict[str, Any]:
    """An artefact, proven; raises where it is not the live model."""
    tuned = known.with_gguf(folder) if name.startswith("gguf-adapter") else known.tuned
    run = RunDir(folder / "run")
    kind = KINDS[name][0]
    return dict(export(tuned, known.live, kind, spec(name), run=run, events=Events([])).parity)


FOLDERS = ("adapter", "merged-float32")
# One of each family; those of the shelf are taken in test_exporters.py.
FAMILIES = {made.family: name for name, made in reversed(MODELS.items())}
# At a scale of 8, or in fewer steps, the end is learned on one processor and not on another.
FAR: dict[str, Any] = {"steps": 200, "tied": False}
LEARNS_LATE = {"gpt-oss": FAR, "granite": FAR, "smollm3": FAR}
OTHERS = [name for family, name in FAMILIES.items() if family not in ("llama", "gemma3")]


@pytest.mark.slow
@covers(lambda name: [{"family": MODELS[name].family, "exporter": KINDS[o][0]} for o in FOLDERS])
@pytest.mark.parametrize("name", OTHERS)
def test_folders_of_every_family_are_the_live_model(one_thread: None, name: str, tmp_path: Path):
    known = trained(name, tmp_path, **LEARNS_LATE.get(name, {"steps": 160}))

    for one in FOLDERS:
        assert made(known, one, tmp_path)["greedy_same"] >= 10


@pytest.fixture(scope="module")
def wrapper(one_thread: None, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return trained("gemma3-conditional", tmp_path_factory.mktemp("wrapper"))


@covers(lambda name: [{"family": "gemma3", "adapter": "lora", "exporter": KINDS[name][0]}])
@pytest.mark.parametrize("name", ["gguf-f16", "gguf-adapter-f32"])
def test_language_part_of_a_multimodal_model_runs_alone(
    wrapper: Trained, name: str, tmp_path: Path
):
    assert made(wrapper, name, tmp_path)["greedy_same"] >= 10


def test_merged_multimodal_model_is_whole(wrapper: Trained, tmp_path: Path):
    assert made(wrapper, "merged-float32", tmp_path)["greedy_same"] >= 10

    base, merged = Path(wrapper.tuned.base.folder), tmp_path / "run" / "exports" / "merged-float32"
    config = json.loads((merged / "config.json").read_text(encoding="utf-8"))
    stops = list(wrapper.tuned.stop_ids)
    assert set(load_file(merged / WEIGHTS)) == set(load_file(base / WEIGHTS))
    assert config["architectures"] == ["Gemma3ForConditionalGeneration"]
    assert config["eos_token_id"] == config["text_config"]["eos_token_id"] == stops  # C36
    assert (merged / "preprocessor_config.json").read_text(encoding="utf-8") == "{}"


def test_file_without_the_scale_of_its_positions_is_refused(
    wrapper: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    right = gemma3.gguf_metadata
    monkeypatch.setattr(
        gemma3,
        "gguf_metadata",
        lambda config: {k: v for k, v in right(config).items() if "scaling" not in k},
    )

    with pytest.raises(ProofError):
        made(wrapper, "gguf-f16", tmp_path)


@pytest.fixture(scope="module")
def scaled(one_thread: None, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A tiny Llama 3.1, whose rows reach beyond the 64 positions that it is scaled from."""
    return trained("llama3.1", tmp_path_factory.mktemp("llama"))


def test_rotary_positions_of_llama_3_1_are_written(scaled: Trained, tmp_path: Path):
    assert made(scaled, "gguf-f16", tmp_path)["greedy_same"] >= 10


def test_file_without_the_frequencies_of_llama_3_1_is_refused(
    scaled: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(llama, "gguf_constants", lambda config: {})

    with pytest.raises(ProofError):
        made(scaled, "gguf-f16", tmp_path)
