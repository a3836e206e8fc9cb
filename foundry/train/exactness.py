"""How exactly a run computes: the same bits each time, and products of fewer bits on a GPU."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from foundry.models.place import Place


@contextmanager
def deterministic(is_wanted: bool, place: Place) -> Iterator[None]:
    """Inside, an operation that differs from run to run is refused, if that is wanted."""
    before = torch.are_deterministic_algorithms_enabled()
    if is_wanted and place.is_gpu:
        # torch refuses cuBLAS without it (https://docs.pytorch.org/docs/stable/generated/
        # torch.use_deterministic_algorithms.html).
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(is_wanted or before)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


@contextmanager
def products_in_nineteen_bits(place: Place, half: bool) -> Iterator[None]:
    """Inside, a GPU may compute a float32 product in TensorFloat32, if others are bfloat16 anyway.

    They are those of a head that is trained, which autocast does not reach. TensorFloat32 keeps 10
    bits behind the point, bfloat16 keeps 7.
    """
    before = torch.get_float32_matmul_precision()
    if half and place.is_gpu:
        torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
