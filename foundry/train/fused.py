"""A LoRA layer as one autograd function, where that is the same mathematics as PEFT's.

PEFT adds the update in four operations with three results as wide as the layer, and beside a base
in half precision copies its input to float32 and back. On a processor this costs a quarter of the
time of a small model's step. Here the update is added inside the matrix product, the scale is
applied to the narrow side, and the input is kept once for all layers that read it. The frozen
layer may be held in four bits. Where products are in half precision and the layer is not, autocast
rounds its weights anew at every product and keeps them for the way back; here a rounded copy is
made once. Layers that ask for more (dropout, DoRA, a bias of the update, weights that are trained,
several updates) stay PEFT's.
"""

# T tokens, I and O width in and out, R rank

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from foundry.models import nf4
from foundry.models.own_forward import with_forward


@contextmanager
def fused_updates(model: Any) -> Iterator[int]:
    """Inside, LoRA layers that allow it are fused; gives how many. After it, all are PEFT's."""
    plain = [module for module in model.modules() if _is_plain(module)]
    with with_forward(plain, partial(_forward, _Rounded())) as count:
        yield count


class _Rounded:
    """Copies in the type that products are computed in: of frozen layers, and of the last input."""

    def __init__(self) -> None:
        self.layers: dict[Any, tuple[torch.Tensor, torch.Tensor | None]] = {}
        self.last: tuple[torch.Tensor, int, torch.Tensor] | None = None

    def layer(self, base: Any, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Weight and bias; the layer's own where they are of the type."""
        if dtype == torch.float32:
            self.layers.clear()  # of a trial in half precision
        if base.weight.dtype == dtype:
            return base.weight, base.bias
        if base not in self.layers:
            bias = None if base.bias is None else base.bias.detach().to(dtype)
            self.layers[base] = (base.weight.detach().to(dtype), bias)
        return self.layers[base]

    def input(self, x: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        """An input without its gradient; layers that read one after another share its copy."""
        if x.dtype == dtype:
            return x.detach()
        if self.last is None or self.last[0] is not x or self.last[1] != x._version:
            self.last = (x, x._version, x.detach().to(dtype))
        return self.last[2]


@dataclass(frozen=True)
class _Frozen:
    """The frozen layer of an update: itself, or its weight and bias; and the update's scale."""

    base: Any
    held: tuple[torch.Tensor, torch.Tensor | None] | None
    scale: float

    def of(self, x_TI: torch.Tensor) -> torch.Tensor:
        """What the layer makes of its input, shape (T, O), a tensor of its own."""
        if self.held is None:
            made: torch.Tensor = self.base(x_TI)
            return made
        return torch.nn.functional.linear(x_TI, *self.held)

    def weight(self, dtype: torch.dtype) -> torch.Tensor:
        """Shape (O, I)."""
        return nf4.in_full(self.base, dtype) if self.held is None else self.held[0]


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


def _forward(
    rounded: _Rounded, layer: Any, x: torch.Tensor, *given: Any, **named: Any
) -> torch.Tensor:
    """The layer's `forward`; PEFT's own where it is switched off or merged, or asked for more."""
    (name,), base = layer.active_adapters, layer.get_base_layer()
    dtype = _dtype(x, base)
    if layer.disable_adapters or layer.merged or given or named or dtype is None:
        unfused: torch.Tensor = type(layer).forward(layer, x, *given, **named)
        return unfused
    update = (layer.lora_A[name].weight, layer.lora_B[name].weight)
    held = None if nf4.is_held(base) else rounded.layer(base, dtype)
    frozen = _Frozen(base, held, layer.scaling[name])
    fused: torch.Tensor = _LoraLinear.apply(x, rounded.input(x, dtype), frozen, *update)
    return fused


def _dtype(x: torch.Tensor, base: Any) -> torch.dtype | None:
    """What PEFT's layer computes all of its products in; None where they are of several types."""
    device = x.device.type
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype
    if not torch.is_autocast_enabled(device):
        is_one = dtype == torch.float32 == _held_in(base)  # as the update is
        return dtype if is_one else None
    is_known = {dtype} if nf4.is_held(base) else {dtype, torch.float32}
    return dtype if _held_in(base) in is_known else None


def _held_in(base: Any) -> torch.dtype:
    found: torch.dtype = base.compute_dtype if nf4.is_held(base) else base.weight.dtype
    return found


class _LoraLinear(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        rounded: torch.Tensor,
        frozen: _Frozen,
        down: torch.Tensor,
        up: torch.Tensor,
    ) -> torch.Tensor:
        x_TI = rounded.reshape(-1, x.shape[-1])
        down_RI, up_OR = down.to(x_TI.dtype), up.to(x_TI.dtype)
        low_TR = (x_TI @ down_RI.T).mul_(frozen.scale)
        y_TO = frozen.of(x_TI).addmm_(low_TR, up_OR.T)
        ctx.save_for_backward(x_TI, down_RI, up_OR, low_TR)
        ctx.frozen, ctx.shape, ctx.dtype = frozen, x.shape, x.dtype
        return y_TO.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        (gradient,) = gradients
        x_TI, down_RI, up_OR, low_TR = ctx.saved_tensors
        y_TO = gradient.reshape(-1, gradient.shape[-1])
        low_gradient_TR = (y_TO @ up_OR).mul_(ctx.frozen.scale)
        x_gradient = None
        if ctx.needs_input_grad[0]:
            weight_OI = ctx.frozen.weight(y_TO.dtype)
            x_gradient = (y_TO @ weight_OI).addmm_(low_gradient_TR, down_RI)
            x_gradient = x_gradient.view(ctx.shape).to(ctx.dtype)
        down, up = low_gradient_TR.T @ x_TI, y_TO.T @ low_TR
        return x_gradient, None, None, down.float(), up.float()
