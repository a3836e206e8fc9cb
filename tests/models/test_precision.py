"""Weights in fewer bits are restored exactly or refused; weights that are not there are missed."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from foundry.core.errors import ResourceError
from foundry.models.fetch import locate
from foundry.models.load import load_model
from tests import tiny

# The sixteen values of four bits: sign, two bits of exponent, one of mantissa (OCP MX, E2M1).
FP4 = torch.tensor([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6])


@pytest.fixture
def folder(tiny_llama: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model, to be changed."""
    return Path(shutil.copytree(tiny_llama, tmp_path / "base"))


def edit(folder: Path, **values: Any) -> None:
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**config, **values}), encoding="utf-8")


def test_quantised_weights_are_refused_by_the_name_of_their_kind(folder: Path):
    edit(folder, quantization_config={"quant_method": "fp8"})

    with pytest.raises(ResourceError, match=r"weights are quantised \(fp8\)") as error:
        locate(str(folder), folder)

    assert "-BF16" in str(error.value.problems[0].fix)


def packed(matrix: torch.Tensor) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """Random blocks and scales for experts of shape (E, in, out), and what they stand for."""
    experts, width, rows = matrix.shape
    dice = torch.Generator().manual_seed(0)
    shape = (experts, rows, width // 32)
    blocks = torch.randint(0, 256, (*shape, 16), generator=dice, dtype=torch.uint8)
    scales = torch.randint(120, 124, shape, generator=dice, dtype=torch.uint8)
    pairs = torch.stack([FP4[(blocks & 15).long()], FP4[(blocks >> 4).long()]], dim=-1)
    values = pairs.flatten(-2) * torch.exp2(scales.float() - 127)[..., None]
    return {"_blocks": blocks, "_scales": scales}, values.flatten(-2).transpose(1, 2)


def test_weights_of_gpt_oss_are_restored_from_four_bits(one_thread: None, tmp_path: Path):
    folder = tiny.build(tmp_path / "gpt-oss", "gpt-oss", tied=False)
    stored, wanted = load_file(folder / "model.safetensors"), dict[str, torch.Tensor]()
    for name in [n for n in stored if n.endswith(("experts.gate_up_proj", "experts.down_proj"))]:
        parts, wanted[name] = packed(stored.pop(name))
        stored |= {name + suffix: tensor for suffix, tensor in parts.items()}
    save_file(stored, folder / "model.safetensors", {"format": "pt"})
    edit(folder, quantization_config={"quant_method": "mxfp4"})

    base = locate(str(folder), Path())
    model = load_model(base)

    found = dict(model.named_parameters())
    assert len(wanted) == 4
    assert base.parameters == sum(tensor.numel() for tensor in found.values())
    assert all(torch.equal(found[name], tensor) for name, tensor in wanted.items())
    assert {tensor.dtype for tensor in found.values()} == {torch.float32}


def test_weights_that_are_not_in_the_folder_are_missed_by_name(folder: Path):
    path = folder / "model.safetensors"
    stored = load_file(path)
    del stored["model.layers.1.mlp.up_proj.weight"]
    save_file(stored, path, {"format": "pt"})

    with pytest.raises(ResourceError, match=r"lacks weights of the model: model\.layers\.1\.mlp"):
        load_model(locate(str(folder), folder))


def test_weights_of_another_shape_are_missed_by_name(folder: Path):
    edit(folder, intermediate_size=96)

    with pytest.raises(ResourceError, match=r"lacks weights of the model: .*down_proj"):
        load_model(locate(str(folder), folder))
