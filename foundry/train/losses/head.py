"""Loss and gradient at the head without ever holding the logits.

The vocabulary is gone through in blocks. For each, the logits of all supervised positions are made,
used and forgotten; a running maximum and sum give the cross-entropy, and the gradient of the hidden
states is summed on the way, rescaled where the maximum grows. So each block of the head's weights
is read once, nothing is computed twice, and memory depends neither on the length of the prompts nor
on the size of the vocabulary. Source of the running rescaling: Milakov and Gimelshein (2018),
"Online normalizer calculation for softmax", https://arxiv.org/abs/1805.02867.
"""

# S supervised positions, H hidden width, V vocabulary, K tokens of a block

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

# Logits alive at once; a block of this many tokens' weights (16 MiB at a width of 1,024) stays in a
# processor's cache between its two products.
BLOCK_TOKENS = 4096
# In standard deviations of the logits. The hidden states are the same and the head is one product:
# in bfloat16 the class rounds its sum by up to 2^-8 of a logit, 0.04 where one is 10 deviations.
LARGEST_NOISE, LARGEST_NOISE_OF_HALF = 1e-3, 0.1
HEAD_PROBE_TOKENS = 32


@dataclass(frozen=True)
class Head:
    """The last linear layer of a model, and what its class does to the logits."""

    weight_VH: torch.Tensor
    bias_V: torch.Tensor | None
    scale: float
    softcap: float | None


def head_of(model: Any) -> Head | None:
    """The head of a transformers model as its configuration describes it.

    None where it is no linear layer. Whether the class does no more is what `is_whole` finds out.
    """
    module, settings = model.get_output_embeddings(), model.config.get_text_config().to_dict()
    if type(module) is not torch.nn.Linear or not module.weight.is_floating_point():
        return None
    scale = settings.get("logit_scale") or 1.0  # Cohere
    scale /= settings.get("logits_scaling") or 1.0  # Granite
    return Head(module.weight, module.bias, scale, settings.get("final_logit_softcapping"))


@torch.no_grad()
def is_whole(model: Any, head: Head, input_ids: torch.Tensor) -> bool:
    """Whether a transformers model's own logits are those of `head`, at each token of (1, T)."""
    given = {"input_ids": input_ids, "use_cache": False}
    was_training = model.training
    model.eval()
    with hidden_states(model) as seen:
        model(**given)
    own_TV = model(**given).logits[0].float()
    model.train(was_training)
    nothing = torch.zeros(len(own_TV), dtype=torch.int64, device=input_ids.device)
    sums = _Sums(seen[0][0], head, nothing)
    blocks = [sums.logits(start)[0] for start in range(0, len(head.weight_VH), BLOCK_TOKENS)]
    most = LARGEST_NOISE if model.dtype == torch.float32 else LARGEST_NOISE_OF_HALF
    return bool((torch.cat(blocks, dim=1) - own_TV).abs().max() <= most * own_TV.std())


@contextmanager
def hidden_states(model: Any) -> Iterator[list[torch.Tensor]]:
    """Inside, what reaches the head is put into the list, and the head is given no position."""
    seen: list[torch.Tensor] = []

    def take(_module: Any, given: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
        seen.append(given[0])
        return (given[0][:, :0],)

    head = model.get_output_embeddings()
    handle = head.register_forward_pre_hook(take)
    try:
        yield seen
    finally:
        handle.remove()


def head_loss(hidden_SH: torch.Tensor, head: Head, targets_S: torch.Tensor) -> torch.Tensor:
    """Sum of cross-entropies in nats, a float32 scalar."""
    trained = (hidden_SH, head.weight_VH, head.bias_V)
    with torch.autocast(hidden_SH.device.type, enabled=False):  # sums must stay float32
        loss: torch.Tensor = _HeadLoss.apply(*trained, head, targets_S)
    return loss


def head_losses(hidden_SH: torch.Tensor, head: Head, targets_S: torch.Tensor) -> torch.Tensor:
    """The cross-entropy of each target in nats, float32, shape (S,)."""
    trained = (hidden_SH, head.weight_VH, head.bias_V)
    with torch.autocast(hidden_SH.device.type, enabled=False):
        losses_S: torch.Tensor = _TokenLosses.apply(*trained, head, targets_S)
    return losses_S


def _summed(
    hidden_SH: torch.Tensor, head: Head, targets_S: torch.Tensor, *, with_gradient: bool
) -> "_Sums":
    """Sums over all blocks of the vocabulary."""
    sums = _Sums(hidden_SH, head, targets_S)
    for start in range(0, len(head.weight_VH), BLOCK_TOKENS):
        sums.add(start, with_gradient=with_gradient)
    return sums


class _HeadLoss(torch.autograd.Function):
    """The gradients are made with the loss and only multiplied when they are asked for."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden_SH: torch.Tensor,
        weight_VH: torch.Tensor,
        bias_V: torch.Tensor | None,
        head: Head,
        targets_S: torch.Tensor,
    ) -> torch.Tensor:
        sums = _summed(hidden_SH, head, targets_S, with_gradient=ctx.needs_input_grad[0])
        gradients = [sums.hidden_gradient() if ctx.needs_input_grad[0] else None, None, None]
        if any(ctx.needs_input_grad[1:3]):
            gradients[1:] = sums.head_gradients()
        ctx.gradients = gradients
        return sums.loss()

    @staticmethod
    def backward(ctx: Any, *outputs: torch.Tensor) -> Any:
        (factor,) = outputs
        made = [None if g is None else g * factor.to(g.dtype) for g in ctx.gradients]
        ctx.gradients = None
        return *made, None, None


class _TokenLosses(torch.autograd.Function):
    """As `_HeadLoss`, with a factor for each position that is only known afterwards.

    That of the hidden states is multiplied row by row; a trained head's blocks are gone through
    again then.
    """

    @staticmethod
    def forward(
        ctx: Any,
        hidden_SH: torch.Tensor,
        weight_VH: torch.Tensor,
        bias_V: torch.Tensor | None,
        head: Head,
        targets_S: torch.Tensor,
    ) -> torch.Tensor:
        sums = _summed(hidden_SH, head, targets_S, with_gradient=ctx.needs_input_grad[0])
        ctx.hidden_SH = sums.hidden_gradient() if ctx.needs_input_grad[0] else None
        ctx.sums = sums if any(ctx.needs_input_grad[1:3]) else None
        return sums.losses()

    @staticmethod
    def backward(ctx: Any, *outputs: torch.Tensor) -> Any:
        (factor_S,) = outputs
        made: list[torch.Tensor | None] = [None, None, None]
        if ctx.hidden_SH is not None:
            made[0] = ctx.hidden_SH * factor_S[:, None].to(ctx.hidden_SH.dtype)
        if ctx.sums is not None:
            made[1:] = ctx.sums.head_gradients(factor_S)
        ctx.hidden_SH = ctx.sums = None
        return *made, None, None


class _Sums:
    """Running maximum, sum of exponentials and gradient over the blocks of a vocabulary."""

    def __init__(self, hidden_SH: torch.Tensor, head: Head, targets_S: torch.Tensor) -> None:
        self.hidden_SH, self.head, self.targets_S = hidden_SH, head, targets_S
        options = {"dtype": torch.float32, "device": hidden_SH.device}
        self.largest_S = torch.full((len(hidden_SH),), float("-inf"), **options)
        self.sum_S = torch.zeros(len(hidden_SH), **options)
        self.target_S = torch.zeros(len(hidden_SH), **options)  # logit of the target
        self.slope_S = torch.full((len(hidden_SH),), head.scale, **options)  # of it, before the cap
        self.gradient_SH = torch.zeros(hidden_SH.shape, **options)

    def add(self, start: int, *, with_gradient: bool) -> None:
        """Go on with the block of the vocabulary that begins at `start`."""
        logits_SK, slope_SK = self.logits(start)
        here_S = (self.targets_S >= start) & (self.targets_S < start + logits_SK.shape[1])
        rows, columns = here_S.nonzero()[:, 0], self.targets_S[here_S] - start
        self.target_S[rows] = logits_SK[rows, columns]
        if slope_SK is not None:
            self.slope_S[rows] = slope_SK[rows, columns]
        largest_S = torch.maximum(self.largest_S, logits_SK.amax(dim=1))
        shrink_S = (self.largest_S - largest_S).exp()
        weights_SK = logits_SK.sub_(largest_S[:, None]).exp_()
        self.sum_S.mul_(shrink_S).add_(weights_SK.sum(dim=1))
        self.largest_S = largest_S
        if with_gradient:
            if slope_SK is not None:
                weights_SK.mul_(slope_SK)
            block_KH = self.head.weight_VH[start : start + BLOCK_TOKENS]
            self.gradient_SH.mul_(shrink_S[:, None])
            if block_KH.dtype == torch.float32:
                self.gradient_SH.addmm_(weights_SK, block_KH)
            else:
                self.gradient_SH += weights_SK.to(block_KH.dtype) @ block_KH

    def loss(self) -> torch.Tensor:
        return self.losses().sum()

    def losses(self) -> torch.Tensor:
        return self._log_sum_S - self.target_S

    def hidden_gradient(self) -> torch.Tensor:
        """Shape (S, H), in the type of the hidden states."""
        slope = 1.0 if self.head.softcap is not None else self.head.scale
        expected_SH = self.gradient_SH.mul_(slope).div_(self.sum_S[:, None])
        target_SH = self.head.weight_VH[self.targets_S].float() * self.slope_S[:, None]
        return expected_SH.sub_(target_SH).to(self.hidden_SH.dtype)

    def head_gradients(self, factor_S: torch.Tensor | None = None) -> list[torch.Tensor | None]:
        """Of a head that is trained; its blocks are gone through again, now the sum is known.

        Args:
            factor_S: What the loss of each position is multiplied by; 1 where absent.
        """
        weight_VH, bias_V = self.head.weight_VH, self.head.bias_V
        gradient_VH = torch.empty_like(weight_VH)
        gradient_V = None if bias_V is None else torch.empty_like(bias_V)
        for start in range(0, len(weight_VH), BLOCK_TOKENS):
            block = slice(start, start + BLOCK_TOKENS)
            logits_SK, slope_SK = self.logits(start)
            error_SK = logits_SK.sub_(self._log_sum_S[:, None]).exp_()
            here_S = (self.targets_S >= start) & (self.targets_S < start + error_SK.shape[1])
            rows = here_S.nonzero()[:, 0]
            error_SK[rows, self.targets_S[here_S] - start] -= 1
            error_SK.mul_(self.head.scale if slope_SK is None else slope_SK)
            if factor_S is not None:
                error_SK.mul_(factor_S[:, None])
            error_KS = error_SK.T.to(self.hidden_SH.dtype)
            gradient_VH[block] = (error_KS @ self.hidden_SH).to(weight_VH.dtype)
            if gradient_V is not None:
                gradient_V[block] = error_SK.sum(dim=0)
        return [gradient_VH, gradient_V]

    @property
    def _log_sum_S(self) -> torch.Tensor:
        return self.sum_S.log() + self.largest_S

    def logits(self, start: int) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Float32 logits of a block, shape (S, K), and where capped, their slope before it."""
        head, block = self.head, slice(start, start + BLOCK_TOKENS)
        weight_KH = head.weight_VH[block].to(self.hidden_SH.dtype)
        logits_SK = (self.hidden_SH @ weight_KH.T).float()
        if head.bias_V is not None:
            logits_SK += head.bias_V[block]
        if head.scale != 1.0:
            logits_SK *= head.scale
        if head.softcap is None:
            return logits_SK, None
        bent_SK = logits_SK.div_(head.softcap).tanh_()
        slope_SK = bent_SK.square().neg_().add_(1).mul_(head.scale)
        return bent_SK.mul_(head.softcap), slope_SK
