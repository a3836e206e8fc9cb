"""A LoRA layer as one autograd function, where that is the same mathematics as PEFT's.

PEFT adds the update in four operations with three results as wide as the layer, which on a
processor cost a quarter of the time of a small model's step. Here the update is added inside the
matrix product, and the scale is applied to the narrow side. Layers that ask for more (dropout,
DoRA, a bias of the update, weights that are trained or quantised, several updates) stay PEFT's.
"""

# T tokens, I and O width in and out, R rank

from contextlib import AbstractContextManager
from typing import Any

import torch

from foundry.models.own_forward import with_forward

# Weights (O, I) and bias (O,) of the frozen layer, and the scale of its update.
_Layer = tuple[torch.Tensor, torch.Tensor | None, float]


def fused_updates(model: Any) -> AbstractContextManager[int]:
    """Inside, LoRA layers that allow it are fused; gives how many. After it, all are PEFT's."""
    return with_forward([module for module in model.modules() if _is_plain(module)], _forward)


def _is_plain(module: Any) -> bool:
    """Whether a module is a LoRA layer whose result is x Wᵀ + b + scale · (x Aᵀ) Bᵀ in float32."""
    from peft.tuners.lora.layer import Linear

    if type(module) is not Linear or type(module.base_layer) is not torch.nn.Linear:
        return False
    names = [name for name in module.active_adapters if name in module.lora_A]
    if len(names) != 1 or names[0] in module.lora_variant:
        return False
    (name,) = names
    base, down, up = module.base_layer, module.lora_A[name], module.lora_B[name]
    return (
        isinstance(module.lora_dropout[name], torch.nn.Identity)
        and up.bias is None
        and not any(parameter.requires_grad for parameter in base.parameters())
        and {p.dtype for p in (base.weight, down.weight, up.weight)} == {torch.float32}
    )


def _forward(layer: Any, x: torch.Tensor, *given: Any, **named: Any) -> torch.Tensor:
    """The layer's `forward`; PEFT's own where it is switched off or merged, or asked for more."""
    (name,), base = layer.active_adapters, layer.base_layer
    down, up = layer.lora_A[name].weight, layer.lora_B[name].weight
    types = {x.dtype, base.weight.dtype, down.dtype, up.dtype}
    is_exact = types == {torch.float32} and not torch.is_autocast_enabled(x.device.type)
    if layer.disable_adapters or layer.merged or given or named or not is_exact:
        unfused: torch.Tensor = type(layer).forward(layer, x, *given, **named)
        return unfused
    frozen = (base.weight, base.bias, layer.scaling[name])
    fused: torch.Tensor = _LoraLinear.apply(x, frozen, down, up)
    return fused


class _LoraLinear(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, layer: _Layer, down_RI: torch.Tensor, up_OR: torch.Tensor
    ) -> torch.Tensor:
        weight_OI, bias_O, scale = layer
        x_TI = x.reshape(-1, x.shape[-1])
        low_TR = (x_TI @ down_RI.T).mul_(scale)
        y_TO = torch.nn.functional.linear(x_TI, weight_OI, bias_O).addmm_(low_TR, up_OR.T)
        ctx.save_for_backward(x_TI, weight_OI, down_RI, up_OR, low_TR)
        ctx.scale, ctx.shape = scale, x.shape
        return y_TO.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        (gradient,) = gradients
        x_TI, weight_OI, down_RI, up_OR, low_TR = ctx.saved_tensors
        y_TO = gradient.reshape(-1, gradient.shape[-1])
        low_gradient_TR = (y_TO @ up_OR).mul_(ctx.scale)
        x_gradient = None
        if ctx.needs_input_grad[0]:
            x_gradient = (y_TO @ weight_OI).addmm_(low_gradient_TR, down_RI).view(ctx.shape)
        down, up = low_gradient_TR.T @ x_TI, y_TO.T @ low_TR
        return x_gradient, None, down, up
