"""Give memory back once it is not needed: freed blocks to the system, a GPU's to the proofs."""

import ctypes
import sys
from collections.abc import Iterable
from typing import Any

# Bytes from which a block is a mapping of its own, which is unmapped when freed. glibc raises its
# threshold to 32 MiB as blocks are freed, and then keeps freed activations in pieces that the next
# micro-batch does not fit into. On SmolLM2-135M in packs of 512: 2,009 MB at most instead of 2,146.
SEPARATE_BYTES = 1_000_000
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h


def give_back_freed_memory() -> bool:
    """Fix glibc's thresholds for this process; False where the C library is another."""
    if not sys.platform.startswith("linux"):
        return False
    library = ctypes.CDLL(None)
    try:
        mallopt = library.mallopt
    except AttributeError:  # musl
        return False
    settings = (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD)
    return all([mallopt(setting, SEPARATE_BYTES) == 1 for setting in settings])


def drop_steps(optimizer: Any, parameters: Iterable[Any]) -> None:
    """Free what only steps need, after the last: gradients and the optimizer's moments."""
    optimizer.state.clear()
    for parameter in parameters:
        parameter.grad = None


def drop_weights(model: Any) -> None:
    """Free a model's weights, though it is still referred to; it computes nothing any more.

    A second copy of a base that fills a GPU is read beside nothing but this.
    """
    for parameter in model.parameters():
        parameter.data = parameter.data.new_empty(0)
