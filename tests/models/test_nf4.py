"""Four-bit layers hold what bitsandbytes and the paper say they hold."""

from pathlib import Path
from typing import Any

import pytest
import torch
from bitsandbytes import functional
from bitsandbytes.nn import Linear4bit, modules

from foundry.core.errors import ResourceError
from foundry.models import nf4
from foundry.models.fetch import locate
from foundry.models.load import load_model
from tests import tiny
from tests.cases import case, change

BLOCK = 64
# Dettmers et al. (2023), https://arxiv.org/abs/2305.14314, appendix E.
LEVELS = torch.tensor(
    [
        *(-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453),
        *(-0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0),
        *(0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224),
        *(0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0),
    ]
)


def by_the_paper(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Each number as the level nearest to it, and each block's largest, shape (blocks,)."""
    blocks = weight.flatten().reshape(-1, BLOCK)
    largest = blocks.abs().amax(dim=1, keepdim=True)
    nearest = (blocks / largest).unsqueeze(-1).sub(LEVELS).abs().argmin(dim=-1)
    return (LEVELS[nearest] * largest).reshape(weight.shape), largest[:, 0]


def layers(model: Any) -> dict[str, Linear4bit]:
    return {n: m for n, m in model.named_modules() if isinstance(m, Linear4bit)}


def stored(layer: Linear4bit) -> torch.Tensor:
    return functional.dequantize_4bit(layer.weight.data, layer.weight.quant_state)


@pytest.fixture(scope="module")
def in_full(tiny_llama: Path) -> Any:
    return load_model(locate(str(tiny_llama), Path()))


@pytest.fixture
def quantised(tiny_llama: Path) -> Any:
    return load_model(locate(str(tiny_llama), Path()), storage="nf4")


def test_every_linear_layer_but_the_head_is_in_four_bits(quantised: Any):
    assert len(layers(quantised)) == 14
    assert quantised.get_output_embeddings().weight.dtype == torch.float32
    kinds = {(x.weight.quant_type, x.weight.quant_state.nested) for x in layers(quantised).values()}
    assert kinds == {("nf4", True)}
    assert {x.compute_dtype for x in layers(quantised).values()} == {torch.float32}


def test_layer_holds_what_bitsandbytes_makes_of_its_weight(in_full: Any, quantised: Any):
    for name, layer in layers(quantised).items():
        weight = in_full.get_submodule(name).weight.detach()
        packed, state = functional.quantize_4bit(
            weight, quant_type="nf4", blocksize=BLOCK, compress_statistics=True
        )

        assert torch.equal(stored(layer), functional.dequantize_4bit(packed, state))


def test_layer_holds_what_the_paper_makes_of_its_weight(in_full: Any, quantised: Any):
    for name, layer in layers(quantised).items():
        weight = in_full.get_submodule(name).weight.detach()
        packed, state = functional.quantize_4bit(weight, quant_type="nf4", blocksize=BLOCK)
        plain, largest = by_the_paper(weight)

        assert torch.allclose(functional.dequantize_4bit(packed, state), plain, atol=1e-7)
        # Double quantisation moves a block's largest by half a step of eight bits at most.
        allowed = (largest - largest.mean()).abs().max() / 127
        off = (stored(layer) - plain).flatten().reshape(-1, BLOCK).abs().amax(dim=1)
        assert (off <= allowed).all()
        assert off.max() > 0


def unsettled(model: Any, name: str) -> None:
    """The model is taken as transformers leaves it."""


@case("C23", {"a layer may be repacked": change(nf4, "settle", unsettled)})
def test_use_outside_of_training_leaves_the_layers_as_they_are(
    tiny_llama: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(modules, "has_avx512bf16", lambda: True)
    monkeypatch.setattr(modules, "_convert_weight_packed_for_cpu", repacked)

    model = load_model(locate(str(tiny_llama), Path()), storage="nf4")

    with torch.no_grad():
        model(input_ids=torch.tensor([[5, 6, 7]]))


def repacked(weight: Any, state: Any) -> Any:
    raise AssertionError("a layer was repacked")


def test_model_whose_weights_are_experts_is_refused(tmp_path: Path):
    base = locate(str(tiny.build(tmp_path / "experts", "gpt-oss")), Path())

    with pytest.raises(ResourceError, match=r"experts: four bits hold \d+% of its layers") as error:
        load_model(base, storage="nf4")

    assert error.value.problems[0].where == "adapter.kind"
    assert "`adapter.kind: lora`" in str(error.value.problems[0].fix)
