"""Float32 products are computed by another library only where they stay as exact."""

import os
import subprocess
import sys

import pytest
import torch

from foundry.models import products
from foundry.models.products import ALLOWED, are_exact, are_onednns_better, quick_products
from tests.cases import case, change


def rounded(x_RI: torch.Tensor, weight_OI: torch.Tensor) -> torch.Tensor:
    """As oneDNN has it where a processor has units for bfloat16: rounded, and added in float32."""
    return x_RI.bfloat16().float() @ weight_OI.bfloat16().float().T


def from_the_end(x_RI: torch.Tensor, weight_OI: torch.Tensor) -> torch.Tensor:
    """As exact as torch's own, summed up in another order."""
    return x_RI.flip(1) @ weight_OI.flip(1).T


def in_three_parts(x_RI: torch.Tensor, weight_OI: torch.Tensor) -> torch.Tensor:
    """Rounded less: each number as a sum of two, and the smallest of the products left out."""
    high_x, high_w = x_RI.bfloat16().float(), weight_OI.bfloat16().float()
    low_x, low_w = (x_RI - high_x).bfloat16().float(), (weight_OI - high_w).bfloat16().float()
    return high_x @ high_w.T + (low_x @ high_w.T + high_x @ low_w.T)


@pytest.fixture(autouse=True)
def asked_anew():
    are_onednns_better.cache_clear()
    yield
    are_onednns_better.cache_clear()


@case("products", {"any error is allowed": change(products, "MOST_TIMES_ERROR", 1e6)})
def test_product_that_rounds_its_numbers_is_not_exact():
    assert are_exact(lambda x_RI, weight_OI: x_RI @ weight_OI.T)
    assert not are_exact(rounded)
    assert not are_exact(in_three_parts)
    assert not are_exact(lambda x_RI, weight_OI: x_RI @ weight_OI.T * float("nan"))


def test_processor_that_rounds_keeps_torchs_own(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(products, "is_by_intel", lambda: False)
    monkeypatch.setattr(products, "_allowed", rounded)

    with quick_products("cpu"):
        assert torch.get_float32_matmul_precision() != ALLOWED


def test_processor_of_intel_keeps_torchs_own(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(products, "is_by_intel", lambda: True)

    with quick_products("cpu"):
        assert torch.get_float32_matmul_precision() != ALLOWED


def test_processor_on_which_it_changes_nothing_is_told_to_have_torchs_own(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(products, "is_by_intel", lambda: False)
    monkeypatch.setattr(products, "_allowed", products._own)

    assert not are_onednns_better()


def test_setting_is_as_before_after_it_and_a_gpus_is_never_changed(
    monkeypatch: pytest.MonkeyPatch,
):
    before = torch.get_float32_matmul_precision()
    monkeypatch.setattr(products, "is_by_intel", lambda: False)
    monkeypatch.setattr(products, "_allowed", from_the_end)

    with quick_products("cpu"):
        assert torch.get_float32_matmul_precision() == ALLOWED
    assert torch.get_float32_matmul_precision() == before
    with quick_products("cuda"):
        assert torch.get_float32_matmul_precision() == before
    with pytest.raises(ValueError), quick_products("cpu"):
        raise ValueError
    assert torch.get_float32_matmul_precision() == before


def test_products_on_this_processor_are_as_exact_as_torchs_own():
    """Whatever its maker: what training computes with is held to numbers in double precision."""
    draw = torch.Generator().manual_seed(1)
    x_RI, weight_OI = (torch.randn(n, 2048, generator=draw) for n in (200, 640))
    back_RO = torch.randn(200, 640, generator=draw)

    with quick_products("cpu"):
        made = (x_RI @ weight_OI.T, back_RO @ weight_OI, back_RO.T @ x_RI)
    x_RI, weight_OI, back_RO = x_RI.double(), weight_OI.double(), back_RO.double()
    exact = (x_RI @ weight_OI.T, back_RO @ weight_OI, back_RO.T @ x_RI)

    for ours, right in zip(made, exact, strict=True):
        assert (ours - right).norm() / right.norm() < 2e-6


LITTLE_KB = 50_000
ASK = """
import os, re, torch
from foundry.core import allocator
from foundry.models.products import quick_products

def held() -> int:
    allocator.give_back()
    with open("/proc/self/status") as status:
        return int(re.search(r"RssAnon:\\s*(\\d+)", status.read())[1])

x_TI, weight_OI = (torch.ones(n, 576).bfloat16() for n in (700, 1536))
with quick_products("cpu"):
    torch.nn.functional.linear(x_TI, weight_OI)
    before = held()
    for rows in range(100, 700):
        torch.nn.functional.linear(x_TI[:rows], weight_OI)
print(held() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read as Linux tells it")
def test_products_of_many_shapes_leave_little_behind():
    """Without a bound 600 of them had left 400 MB."""

    def kept(**more: str) -> int:
        found = subprocess.run(
            [sys.executable, "-c", ASK], env={**os.environ, **more}, check=True, capture_output=True
        )
        return int(found.stdout)

    unbounded = kept(**dict.fromkeys(products.CAPACITIES, "1024"))
    if unbounded < LITTLE_KB:
        pytest.skip("this processor multiplies bfloat16 without oneDNN")
    assert kept() < 0.5 * unbounded
