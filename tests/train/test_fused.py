"""A fused LoRA layer gives PEFT's numbers, and where PEFT does more it stays PEFT's."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from foundry.models.fetch import locate
from foundry.models.load import load_model
from foundry.train import fused
from foundry.train.adapters import lora
from foundry.train.fused import fused_updates
from tests.cases import case, change

TOKENS = torch.arange(100, 140)[None]
LAYERS = 14  # two layers, seven linear maps in each
Function = fused._LoraLinear
forward, backward = Function.forward, Function.backward


def adapted(folder: Path, **values: Any) -> Any:
    """A tiny model in training mode whose update is not zero."""
    torch.manual_seed(0)
    base = load_model(locate(str(folder), Path()))
    model = lora.attach(base, lora.Spec(rank=4, alpha=12, **values))
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    return model.train()


def numbers(model: Any) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Logits and every gradient of a loss."""
    logits = model(TOKENS, use_cache=False).logits[0]
    torch.nn.functional.cross_entropy(logits, TOKENS[0]).backward()
    made = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    return logits.detach(), made


@pytest.fixture(params=["tiny_llama", "tiny_gemma3"])
def folder(request: pytest.FixtureRequest) -> Path:
    made: Path = request.getfixturevalue(request.param)
    return made


def unscaled(ctx: Any, *given: Any) -> torch.Tensor:
    x, (weight, bias, _scale), *update = given
    return forward(ctx, x, (weight, bias, 1.0), *update)


def scaled_once_more(ctx: Any, *gradients: Any) -> Any:
    ctx.scale *= 2
    return backward(ctx, *gradients)


def without_the_update(ctx: Any, *gradients: Any) -> Any:
    x, *others = backward(ctx, *gradients)
    low = (gradients[0] @ ctx.saved_tensors[3]) * ctx.scale
    return None if x is None else x - low @ ctx.saved_tensors[2], *others


WRONG = {
    "no scale": change(Function, "forward", staticmethod(unscaled)),
    "the scale twice": change(Function, "backward", staticmethod(scaled_once_more)),
    "no gradient through the update": change(
        Function, "backward", staticmethod(without_the_update)
    ),
}


@case("C39", WRONG)
def test_logits_and_gradients_are_those_of_peft(folder: Path):
    model = adapted(folder)
    expected_logits, expected = numbers(model)

    with fused_updates(model) as count:
        found_logits, found = numbers(model)

    assert count == LAYERS
    assert set(found) == set(expected)
    assert (found_logits - expected_logits).abs().max() < 1e-4  # of some 30
    assert max((found[n] - expected[n]).norm() / expected[n].norm() for n in found) < 1e-5


def with_a_bias(model: Any) -> None:
    for module in model.modules():
        if isinstance(module, torch.nn.ModuleDict) and "default" in module:
            layer = module["default"]
            if isinstance(layer, torch.nn.Linear) and layer.in_features == 4:
                layer.bias = torch.nn.Parameter(torch.ones(layer.out_features))


def half(model: Any) -> None:
    model.get_base_model().to(torch.bfloat16)


def trained_too(model: Any) -> None:
    model.requires_grad_(True)


@pytest.mark.parametrize("change_model", [with_a_bias, half, trained_too])
def test_layer_that_asks_for_more_stays_peft_s(
    tiny_llama: Path, change_model: Callable[[Any], None]
):
    model = adapted(tiny_llama)
    change_model(model)

    with fused_updates(model) as count:
        assert count == 0


def test_dropout_stays_peft_s(tiny_llama: Path):
    with fused_updates(adapted(tiny_llama, dropout=0.1)) as count:
        assert count == 0


def test_update_that_is_switched_off_stays_off(tiny_llama: Path):
    model = adapted(tiny_llama).eval()
    with torch.no_grad(), model.disable_adapter():
        base = model(TOKENS, use_cache=False).logits
        with fused_updates(model):
            fused_off = model(TOKENS, use_cache=False).logits

    assert torch.equal(fused_off, base)


def test_afterwards_every_layer_is_peft_s(tiny_llama: Path):
    model = adapted(tiny_llama)

    with fused_updates(model):
        pass

    assert not [m for m in model.modules() if "forward" in vars(m)]
