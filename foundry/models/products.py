"""Products of float32 matrices on a processor, by the quicker of the libraries that torch has.

torch leaves them to Intel's MKL, which takes a slow path on other makers' processors
(https://github.com/pytorch/builder/issues/504). Those of oneDNN, which torch has for bfloat16, are
as exact there and twice as fast. GFLOP/s on two cores of an AMD EPYC with AVX-512 (torch 2.13,
oneDNN 3.12), MKL's and oneDNN's, with the distance from products in double precision:

| rows, in, out | forward | back | distance |
|---|--:|--:|--:|
| 1,024, 1,024, 1,024 | 223, 465 | 219, 474 | 2.5e-7, 4.1e-7 |
| 512, 576, 1,536 | 210, 467 | 217, 524 | 2.5e-7, 3.9e-7 |
| 512, 2,048, 640 | 209, 480 | 198, 462 | 2.5e-7, 5.7e-7 |
| 256, 640, 16,384 | 171, 451 | 190, 440 | 2.4e-7, 3.7e-7 |

torch hands float32 to oneDNN only where it is allowed to round it to bfloat16, which oneDNN does
where a processor has units for such products (AMX; Arm's). So each processor is asked whether it
rounds, by products whose exact numbers are known.
"""

# R rows, I and O width in and out

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import cache

import torch

from foundry.core.environment import is_by_intel

# What oneDNN has made for a shape is kept for the next product of it: by oneDNN, and once more by
# torch (`ideep`), for 1,024 shapes each. Of packs with another number of tokens each that is a
# megabyte a product: SmolLM2 took 2,552 MB after four steps and 80 MB more at each. Enough for the
# products of a pack, which its layers share, are 64: 2,000 MB, and as fast as with 128 (442 and 429
# tokens a second).
CAPACITIES = ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY")
SHAPES = 64
ALLOWED = "medium"  # that float32 is rounded to bfloat16 inside a product
# oneDNN's are up to 2.3 times as far from the exact ones as MKL's, since it adds up more numbers
# one after the other; rounded ones are 10,000 times as far.
MOST_TIMES_ERROR = 8
SIZES = ((1, 512, 640), (48, 512, 512), (300, 640, 1024))  # R, I, O
Product = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@contextmanager
def quick_products(device: str) -> Iterator[None]:
    """Inside, they are oneDNN's where that is better.

    Args:
        device: Where they are made, `cpu` or another, where all stays as it is.
    """
    _keep_few_shapes()
    with _given_to_onednn() if device == "cpu" and are_onednns_better() else nullcontext():
        yield


@contextmanager
def _given_to_onednn() -> Iterator[None]:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(ALLOWED)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def _keep_few_shapes() -> None:
    """Bound what is kept of each shape; heeded up to the first product, in bfloat16 too."""
    for name in CAPACITIES:
        os.environ.setdefault(name, str(SHAPES))


@cache
def are_onednns_better() -> bool:
    """Whether this processor has a quicker way than torch's own to numbers as exact.

    Nothing is timed: of one machine the answer is always the same, as a run made twice needs it.
    """
    return not is_by_intel() and _are_other() and are_exact(_allowed)


def are_exact(product: Product) -> bool:
    """Whether products are as near to the exact numbers as torch's own.

    Args:
        product: Of two matrices of shape (R, I) and (O, I), the second transposed.
    """
    for x_RI, weight_OI in _drawn():
        exact_RO = x_RI.double() @ weight_OI.double().T
        own, other = ((made(x_RI, weight_OI) - exact_RO).norm() for made in (_own, product))
        if not other <= MOST_TIMES_ERROR * own:
            return False
    return True


def _are_other() -> bool:
    """Whether it changes anything that oneDNN is allowed to; it sums up in another order."""
    return any(not torch.equal(_own(*pair), _allowed(*pair)) for pair in _drawn())


def _drawn() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    draw = torch.Generator().manual_seed(0)
    for rows, width, out in SIZES:
        yield torch.randn(rows, width, generator=draw), torch.randn(out, width, generator=draw)


def _own(x_RI: torch.Tensor, weight_OI: torch.Tensor) -> torch.Tensor:
    return x_RI @ weight_OI.T


def _allowed(x_RI: torch.Tensor, weight_OI: torch.Tensor) -> torch.Tensor:
    with _given_to_onednn():
        return _own(x_RI, weight_OI)
