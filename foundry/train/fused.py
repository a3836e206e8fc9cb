"""A LoRA layer as one autograd function, where that is the same mathematics as PEFT's.

PEFT adds the update in four operations with three results as wide as the layer, and beside a base
in half precision copies its input to float32 and back. On a processor this costs a quarter of the
time of a small model's step. Here the update is added inside the matrix product, the scale is
applied to the narrow side, and the input is kept once for all layers that read it. The frozen
layer may be held in four bits. Layers that ask for more (dropout, DoRA, a bias of the update,
weights that are trained, several updates) stay PEFT's.
"""

# T tokens, I and O width in and out, R rank

from contextlib import AbstractContextManager
from typing import Any

import torch

from foundry.models import nf4
from foundry.models.own_forward import with_forward


def fused_updates(model: Any) -> AbstractContextManager[int]:
    """Inside, LoRA layers that allow it are fused; gives how many. After it, all are PEFT's."""
    return with_forward([module for module in model.modules() if _is_plain(module)], _forward)


def _is_plain(module: Any) -> bool:
    """Whether a module is a LoRA layer whose result is x Wᵀ + b + scale · (x Aᵀ) Bᵀ."""
    from peft.tuners.lora.layer import LoraLayer

    if not isinstance(module, LoraLayer) or type(module).__name__ not in ("Linear", "Linear4bit"):
        return False
    base = module.get_base_layer()
    names = [name for name in module.active_adapters if name in module.lora_A]
    if not (type(base) is torch.nn.Linear or nf4.is_held(base)):
        return False
    if len(names) != 1 or names[0] in module.lora_variant:
        return False
    (name,) = names
    down, up = module.lora_A[name], module.lora_B[name]
    return (
        isinstance(module.lora_dropout[name], torch.nn.Identity)
        and up.bias is None
        and not any(parameter.requires_grad for parameter in base.parameters())
        and {down.weight.dtype, up.weight.dtype} == {torch.float32}
    )


def _forward(layer: Any, x: torch.Tensor, *given: Any, **named: Any) -> torch.Tensor:
    """The layer's `forward`; PEFT's own where it is switched off or merged, or asked for more."""
    (name,), base = layer.active_adapters, layer.get_base_layer()
    dtype = _dtype(x, base)
    if layer.disable_adapters or layer.merged or given or named or dtype is None:
        unfused: torch.Tensor = type(layer).forward(layer, x, *given, **named)
        return unfused
    update = (layer.lora_A[name].weight, layer.lora_B[name].weight)
    frozen = (base, layer.scaling[name])
    fused: torch.Tensor = _LoraLinear.apply(x.to(dtype), frozen, *update)
    return fused


def _dtype(x: torch.Tensor, base: Any) -> torch.dtype | None:
    """What PEFT's layer computes all of its products in; None where they are of several types."""
    device = x.device.type
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype
    held = base.compute_dtype if nf4.is_held(base) else base.weight.dtype
    is_cast = torch.is_autocast_enabled(device) or dtype == torch.float32  # as the update is
    return dtype if is_cast and held == dtype else None


class _LoraLinear(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, frozen: tuple[Any, float], down: torch.Tensor, up: torch.Tensor
    ) -> torch.Tensor:
        base, scale = frozen
        x_TI = x.reshape(-1, x.shape[-1])
        down_RI, up_OR = down.to(x.dtype), up.to(x.dtype)
        low_TR = (x_TI @ down_RI.T).mul_(scale)
        y_TO = base(x_TI).addmm_(low_TR, up_OR.T)
        ctx.save_for_backward(x_TI, down_RI, up_OR, low_TR)
        ctx.base, ctx.scale, ctx.shape = base, scale, x.shape
        return y_TO.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        (gradient,) = gradients
        x_TI, down_RI, up_OR, low_TR = ctx.saved_tensors
        y_TO = gradient.reshape(-1, gradient.shape[-1])
        low_gradient_TR = (y_TO @ up_OR).mul_(ctx.scale)
        x_gradient = None
        if ctx.needs_input_grad[0]:
            weight_OI = nf4.in_full(ctx.base, y_TO.dtype)
            x_gradient = (y_TO @ weight_OI).addmm_(low_gradient_TR, down_RI).view(ctx.shape)
        down, up = low_gradient_TR.T @ x_TI, y_TO.T @ low_TR
        return x_gradient, None, down.float(), up.float()
