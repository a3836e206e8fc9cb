"""An adapter folder names its base and nothing of this machine, and loads where it belongs."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from foundry.core.errors import ProofError
from foundry.train import proof
from foundry.train.adapter_files import CONFIG, WEIGHTS, load_tuned, save_adapter
from foundry.train.inputs import FitInputs
from tests.tiny_run import Setup, open_run


@pytest.fixture(scope="module", params=["tiny_llama", "tiny_gemma3"])
def inputs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> FitInputs:
    """A run whose adapter says something: every tensor moved."""
    folder = request.getfixturevalue(request.param)
    made = open_run(Setup(folder), tmp_path_factory.mktemp("run"))
    with torch.no_grad():
        for p in proof.trainable(made.model).values():
            p += 0.02
    save_adapter(made.model, made.base, made.run.file("adapter"))
    return made


def config_of(folder: Path) -> dict:
    return dict(json.loads((folder / CONFIG).read_text(encoding="utf-8")))


def test_no_file_holds_a_path_of_this_machine(inputs: FitInputs):  # C43
    folder = inputs.run.file("adapter")

    texts = [path.read_bytes() for path in folder.iterdir()]

    assert sorted(path.name for path in folder.iterdir()) == [CONFIG, WEIGHTS]
    assert all(inputs.base.folder.encode() not in text for text in texts)
    assert not any(str(value).startswith("/") for value in config_of(folder).values())


def test_base_is_named_by_hub_id_and_revision_where_known(inputs: FitInputs, tmp_path: Path):  # C43
    base = replace(inputs.base, hub_id="owner/tiny", revision="0" * 40)

    save_adapter(inputs.model, base, tmp_path / "adapter")

    config = config_of(tmp_path / "adapter")
    assert (config["base_model_name_or_path"], config["revision"]) == ("owner/tiny", "0" * 40)


def test_base_without_a_hub_id_is_named_by_its_name(inputs: FitInputs):  # C43
    config = config_of(inputs.run.file("adapter"))

    assert config["base_model_name_or_path"] == inputs.base.name
    assert config["revision"] is None


def test_targets_are_written_in_order(inputs: FitInputs):
    targets = config_of(inputs.run.file("adapter"))["target_modules"]

    assert targets == sorted(targets)
    assert {name.split(".")[-1] for name in targets} >= {"q_proj", "down_proj"}


def test_file_has_two_tensors_for_every_layer_and_no_empty_one(inputs: FitInputs):  # C18
    made = load_file(inputs.run.file("adapter", WEIGHTS))

    assert len(made) == 2 * 7 * 2
    assert all(tensor.norm() > 0 for tensor in made.values())


def test_reloaded_adapter_is_the_live_model(inputs: FitInputs):  # C18, C31
    prefixes = proof.probe_prefixes(inputs.rows)

    tuned = load_tuned(inputs.base, inputs.run.file("adapter"))

    live = proof.next_logits(inputs.model, prefixes)
    assert torch.equal(proof.next_logits(tuned, prefixes), live)
    with inputs.model.disable_adapter():
        assert (proof.next_logits(inputs.model, prefixes) - live).abs().max() > 0.01


def tampered(inputs: FitInputs, folder: Path, rename) -> Path:
    """A copy of the adapter with other tensor names."""
    folder.mkdir()
    (folder / CONFIG).write_bytes(inputs.run.file("adapter", CONFIG).read_bytes())
    tensors = load_file(inputs.run.file("adapter", WEIGHTS))
    renamed = {rename(name): tensor for name, tensor in tensors.items()}
    save_file({name: t for name, t in renamed.items() if name}, folder / WEIGHTS)
    return folder


def test_adapter_of_a_wrapper_class_is_refused(inputs: FitInputs, tmp_path: Path):  # C40
    folder = tampered(
        inputs, tmp_path / "a", lambda name: name.replace(".layers.", ".language_model.layers.")
    )

    with pytest.raises(ProofError, match=r"found no place in the model: .*language_model"):
        load_tuned(inputs.base, folder)


def test_adapter_that_lacks_a_tensor_is_refused(inputs: FitInputs, tmp_path: Path):  # C18, C40
    lost = "base_model.model.model.layers.1.mlp.down_proj.lora_B.weight"
    folder = tampered(inputs, tmp_path / "a", lambda name: "" if name == lost else name)

    with pytest.raises(ProofError, match=lost.replace(".", r"\.")):
        load_tuned(inputs.base, folder)
