"""An adapter as GGUF carries the trained scale and every tensor, or is refused (C38, C39, C81)."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from foundry.core import plugins
from foundry.core.errors import ResourceError
from foundry.delivery import gguf_adapter_file as adapter_file
from foundry.delivery.artefact import Tuned
from foundry.delivery.gguf_adapter_file import gguf_alpha, trained_scale, update_difference
from foundry.train.adapter_files import CONFIG, WEIGHTS
from tests.cases import case, change
from tests.delivery.shelf import Shelf

matrices = adapter_file.gguf_matrices


@pytest.mark.parametrize(("stabilized", "alpha", "scale"), [(True, 128.0, 8.0), (False, 32.0, 2.0)])
def test_gguf_alpha_makes_the_trained_scale(stabilized: bool, alpha: float, scale: float):  # C39
    config = {"lora_alpha": 32, "r": 16, "use_rslora": stabilized}

    assert gguf_alpha(config) == alpha
    assert trained_scale(config) == gguf_alpha(config) / 16 == scale


def test_scale_of_the_gguf_adapter_is_in_the_file(llama_shelf: Shelf):  # C39
    path = llama_shelf.folder("gguf-adapter-f32") / "adapter.gguf"

    assert gguf.GGUFReader(path).fields["adapter.lora.alpha"].contents() == 128.0


def rewritten(source: Path, target: Path, *, alpha: float, without: str | None = None) -> Path:
    """A copy of a GGUF adapter with this alpha and without one tensor."""
    writer = gguf.GGUFWriter(target, "llama")
    writer.add_float32("adapter.lora.alpha", alpha)
    for tensor in gguf.GGUFReader(source).tensors:
        if tensor.name != without:
            writer.add_tensor(tensor.name, np.array(tensor.data))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target


def test_wrong_scale_of_the_gguf_adapter_is_measured(llama_shelf: Shelf, tmp_path: Path):  # C39
    path = llama_shelf.folder("gguf-adapter-f32") / "adapter.gguf"

    plain = rewritten(path, tmp_path / "a.gguf", alpha=32.0)

    assert update_difference(llama_shelf.on_gguf, path) == 0.0
    assert update_difference(llama_shelf.on_gguf, plain) == pytest.approx(0.75)


def test_missing_tensor_of_the_gguf_adapter_is_measured(llama_shelf: Shelf, tmp_path: Path):  # C81
    path = llama_shelf.folder("gguf-adapter-f32") / "adapter.gguf"

    short = rewritten(path, tmp_path / "a.gguf", alpha=128.0, without="blk.1.ffn_up.weight.lora_b")

    assert update_difference(llama_shelf.on_gguf, short) == float("inf")


def copied_adapter(tuned: Tuned, folder: Path, extra: dict[str, torch.Tensor]) -> Tuned:
    """The same with an adapter that holds more tensors."""
    folder.mkdir()
    (folder / CONFIG).write_bytes((tuned.adapter / CONFIG).read_bytes())
    save_file(load_file(tuned.adapter / WEIGHTS) | extra, folder / WEIGHTS)
    return replace(tuned, adapter=folder)


def only_what_fits(tuned: Tuned) -> Iterator[tuple[str, np.ndarray]]:
    """The fault of the converters: what has no place is left out, and nothing is said."""
    folder = tuned.adapter.with_name("fitting")
    if not folder.exists():
        folder.mkdir()
        (folder / CONFIG).write_bytes((tuned.adapter / CONFIG).read_bytes())
        fitting = {n: t for n, t in load_file(tuned.adapter / WEIGHTS).items() if ".lora_" in n}
        save_file(fitting, folder / WEIGHTS)
    other = replace(tuned, adapter=folder)
    other.__dict__["model"] = tuned.model
    yield from matrices(other)


@case("C81", {"the rest is left out": change(adapter_file, "gguf_matrices", only_what_fits)})
@pytest.mark.parametrize(
    "name", ["base_model.model.lm_head.weight", "base_model.model.model.layers.0.mlp.up_proj.bias"]
)
def test_adapter_part_that_gguf_cannot_carry_is_refused(
    llama_shelf: Shelf, name: str, tmp_path: Path
):
    tuned = copied_adapter(llama_shelf.on_gguf, tmp_path / "adapter", {name: torch.ones(2)})
    exporter = plugins.load("exporter", "gguf-adapter")
    live = replace(tuned)
    live.__dict__["model"] = llama_shelf.on_gguf.model  # as it was before the file was changed

    with pytest.raises(ResourceError, match="cannot carry this tensor") as error:
        exporter.write(live, exporter.Spec(), tmp_path)

    assert error.value.problems[0].where == name
    assert not (tmp_path / "adapter.gguf").exists()


def test_gguf_adapter_without_a_base_file_is_refused(llama_shelf: Shelf, tmp_path: Path):  # C38
    exporter = plugins.load("exporter", "gguf-adapter")

    with pytest.raises(ResourceError, match="has no GGUF file for the adapter"):
        exporter.opened(llama_shelf.tuned, exporter.Spec(), tmp_path)
