"""How fast this machine is: matrix products and copies, in a fraction of a second each."""

import time
from collections.abc import Callable
from importlib import util

# Long enough for the clock and the caches, short enough for a plan.
PROBE_S = 0.15
# Where a product of the smaller size takes longer, as bfloat16 does on processors without it, the
# larger is not tried.
SMALL, LARGE = 256, 1024
COPY_BYTES = 64 << 20


def gemm_tflops(dtype: str) -> float | None:
    """10^12 operations a second in products of square matrices. None without torch.

    The best of several, since whatever else runs can only slow one down.
    """
    if util.find_spec("torch") is None:
        return None
    small = _product(dtype, SMALL)
    return max(small, _product(dtype, LARGE)) if _seconds(small, LARGE) < PROBE_S else small


def memory_gb_s() -> float | None:
    """10^9 bytes a second read and written by a copy. None without torch."""
    if util.find_spec("torch") is None:
        return None
    import torch

    source = torch.ones(COPY_BYTES // 4)
    target = torch.empty_like(source)
    return 2 * COPY_BYTES / _best_s(lambda: target.copy_(source)) / 1e9


def _product(dtype: str, size: int) -> float:
    import torch

    from foundry.models.products import quick_products

    a, b = (torch.ones(size, size, dtype=getattr(torch, dtype)) for _number in range(2))
    with quick_products("cpu"):  # as training computes
        return 2 * size**3 / _best_s(lambda: torch.mm(a, b)) / 1e12


def _seconds(tflops: float, size: int) -> float:
    return 2 * size**3 / (tflops * 1e12)


def _best_s(work: Callable[[], object]) -> float:
    work()
    best, until = float("inf"), time.perf_counter() + PROBE_S
    while time.perf_counter() < until:
        begun = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - begun)
    return best
