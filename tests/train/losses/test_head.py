"""Loss and gradient at the head are those of the logits, which are never held (C15)."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy

from foundry.models.fetch import locate
from foundry.models.load import load_model
from foundry.train.losses import head as heads
from foundry.train.losses.head import Head, head_loss, head_of, is_whole
from tests.cases import case, change
from tests.largest import Largest

S, H, V = 20, 16, 333
# scale, softcap, whether there is a bias, whether the head trains
KINDS = [
    (1.0, None, False, False),
    (1.0, 30.0, False, True),
    (0.25, None, True, True),
    (2.0, 5.0, True, True),
]
Sums, add = heads._Sums, heads._Sums.add


def never_rescaled(self: Any, start: int, **named: Any) -> None:
    """Sums are not shrunk when the maximum grows."""
    before = self.largest_S
    add(self, start, **named)
    grown_S = (self.largest_S - before).nan_to_num(0, 0, 0).exp()
    self.gradient_SH.mul_(grown_S[:, None])


def without_the_target(self: Any) -> torch.Tensor:
    return self.gradient_SH.div_(self.sum_S[:, None])


WRONG = {
    "the gradient is not rescaled": change(Sums, "add", never_rescaled),
    "the target is left out": change(Sums, "hidden_gradient", without_the_target),
}


def numbers(
    kind: tuple[float, float | None, bool, bool],
) -> tuple[torch.Tensor, Head, torch.Tensor]:
    scale, softcap, has_bias, trains = kind
    generator = torch.Generator().manual_seed(0)
    hidden_SH = torch.randn(S, H, generator=generator).requires_grad_()
    weight_VH = torch.randn(V, H, generator=generator).requires_grad_(trains)
    bias_V = torch.randn(V, generator=generator).requires_grad_(trains) if has_bias else None
    targets_S = torch.randint(0, V, (S,), generator=generator)
    return hidden_SH, Head(weight_VH, bias_V, scale, softcap), targets_S


def each_by_hand(hidden_SH: torch.Tensor, head: Head, targets_S: torch.Tensor) -> torch.Tensor:
    logits_SV = hidden_SH @ head.weight_VH.T
    if head.bias_V is not None:
        logits_SV = logits_SV + head.bias_V
    logits_SV = logits_SV * head.scale
    if head.softcap is not None:
        logits_SV = head.softcap * torch.tanh(logits_SV / head.softcap)
    return cross_entropy(logits_SV, targets_S, reduction="none")


def by_hand(hidden_SH: torch.Tensor, head: Head, targets_S: torch.Tensor) -> torch.Tensor:
    return each_by_hand(hidden_SH, head, targets_S).sum()


@case("C15", WRONG)
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_loss_and_gradients_are_those_of_the_logits(kind: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(heads, "BLOCK_TOKENS", 64)  # the last block is not full
    hidden_SH, head, targets_S = numbers(kind)
    trained = [t for t in (hidden_SH, head.weight_VH, head.bias_V) if t is not None]
    trained = [tensor for tensor in trained if tensor.requires_grad]

    found, expected = head_loss(hidden_SH, head, targets_S), by_hand(hidden_SH, head, targets_S)
    gradients = [torch.autograd.grad(0.5 * loss, trained) for loss in (found, expected)]

    # Float32 sums in another order.
    assert float(found.detach()) == pytest.approx(float(expected.detach()), rel=1e-6)
    for ours, theirs in zip(*gradients, strict=True):
        assert (ours - theirs).norm() / theirs.norm() < 1e-5


def without_factors(self: Any, factor_S: torch.Tensor | None = None) -> list[torch.Tensor | None]:
    return head_gradients(self, None)


head_gradients = Sums.head_gradients
UNWEIGHTED = {"positions weigh alike": change(Sums, "head_gradients", without_factors)}


@case("C15", WRONG | UNWEIGHTED)
def test_each_position_has_its_own_loss_and_weight(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(heads, "BLOCK_TOKENS", 64)
    for kind in KINDS:
        hidden_SH, head, targets_S = numbers(kind)
        trained = [t for t in (hidden_SH, head.weight_VH, head.bias_V) if t is not None]
        trained = [tensor for tensor in trained if tensor.requires_grad]
        factor_S = torch.linspace(-2, 3, S)

        found_S = heads.head_losses(hidden_SH, head, targets_S)
        expected_S = each_by_hand(hidden_SH, head, targets_S)
        gradients = [
            torch.autograd.grad((factor_S * losses_S).sum(), trained)
            for losses_S in (found_S, expected_S)
        ]

        assert torch.allclose(found_S, expected_S, rtol=1e-5)
        for ours, theirs in zip(*gradients, strict=True):
            assert (ours - theirs).norm() / theirs.norm() < 1e-5


def test_frozen_head_gets_no_gradient_made():
    hidden_SH, head, targets_S = numbers(KINDS[0])

    head_loss(hidden_SH, head, targets_S).backward()

    assert hidden_SH.grad is not None
    assert head.weight_VH.grad is None


def largest(vocabulary: int) -> int:
    hidden_SH = torch.randn(50, 8, requires_grad=True)
    weight_VH = torch.randn(vocabulary, 8)
    with Largest(hidden_SH, weight_VH) as seen:
        heads.head_loss(hidden_SH, Head(weight_VH, None, 1.0, None), torch.arange(50)).backward()
    return seen.size_bytes


@case("C15", {"logits are held": change(heads, "head_loss", by_hand)})
def test_memory_does_not_grow_with_the_vocabulary():
    assert largest(16 * heads.BLOCK_TOKENS) == largest(heads.BLOCK_TOKENS)


@pytest.fixture(scope="module", params=["tiny_llama", "tiny_gemma3"])
def model(request: pytest.FixtureRequest) -> Any:
    return load_model(locate(str(request.getfixturevalue(request.param)), Path()))


TOKENS = torch.arange(100, 130)[None]


def test_head_of_a_class_says_what_the_class_says(model: Any):
    head = head_of(model)

    assert head is not None
    assert is_whole(model, head, TOKENS)


@case("C15", {"nobody looks": change(heads, "LARGEST_NOISE", float("inf"))})
def test_class_that_does_more_with_its_logits_is_found_out(model: Any):
    handle = model.get_output_embeddings().register_forward_hook(lambda _m, _given, out: out * 1.01)
    try:
        head = head_of(model)
        assert head is not None
        assert not heads.is_whole(model, head, TOKENS)
    finally:
        handle.remove()


def test_head_that_is_no_plain_linear_layer_is_left_to_the_class(model: Any):
    class Other(torch.nn.Linear):
        pass

    plain = model.get_output_embeddings()
    model.set_output_embeddings(Other(4, 4))
    try:
        assert head_of(model) is None
    finally:
        model.set_output_embeddings(plain)
