"""Linear layers for a few rows at a time on a processor, as when tokens are generated.

`torch.nn.functional.linear` puts the weight on the right of the product, where MKL packs all of it
anew at each call. With the weight on the left the same numbers are made in less time. Milliseconds
on two cores of an AMD EPYC (AVX2, torch 2.13, float32), right and left:

| weight | 1 row | 8 rows | 32 rows | 128 rows | 640 rows |
|---|--:|--:|--:|--:|--:|
| 262,144 x 640 | 74, 74 | 252, 92 | 355, 198 | 811, 552 | |
| 2,048 x 640 | 0.5, 0.2 | 0.8, 0.7 | 2.1, 1.0 | 4.5, 3.0 | 20, 17 |

A large weight is faster block by block, and a number of rows that eight divides. The same 262,144
x 640 in one product and in blocks of 2,048: 13 rows 198 and 150 ms (of 16 rows 104), 32 rows 176
and 113, 64 rows 343 and 204, 128 rows 515 and 429.
"""

# R rows, I and O width in and out

from contextlib import AbstractContextManager
from typing import Any

import torch

from foundry.models.own_forward import with_forward

MOST_ROWS = 128
BLOCK, EVEN = 2048, 8  # rows of a weight, rows of what is asked


def few_rows_fast(model: Any) -> AbstractContextManager[int]:
    """Inside, plain float32 layers on a processor take few rows that way; gives how many do."""
    return with_forward([module for module in model.modules() if _is_plain(module)], _forward)


def _is_plain(module: Any) -> bool:
    """Whether it is a layer of that class whose `forward` nobody has changed."""
    if type(module) is not torch.nn.Linear or "forward" in vars(module):
        return False
    return module.weight.dtype == torch.float32 and module.weight.device.type == "cpu"


def _forward(layer: torch.nn.Linear, x: torch.Tensor) -> torch.Tensor:
    rows = x.numel() // x.shape[-1]
    if rows > MOST_ROWS or x.dtype != torch.float32 or torch.is_autocast_enabled("cpu"):
        return torch.nn.Linear.forward(layer, x)
    y_RO = _product(layer.weight, x.reshape(rows, x.shape[-1]))
    if layer.bias is not None:
        y_RO += layer.bias
    return y_RO.view(*x.shape[:-1], len(layer.weight))


def _product(weight_OI: torch.Tensor, x_RI: torch.Tensor) -> torch.Tensor:
    """Shape (R, O), a block of the weight after the other."""
    rows = len(x_RI)
    more = -rows % EVEN if rows > EVEN // 2 else 0
    x_IR = torch.nn.functional.pad(x_RI, (0, 0, 0, more)).T
    y_RO = x_RI.new_empty(rows, len(weight_OI))
    for start in range(0, len(weight_OI), BLOCK):
        block = slice(start, start + BLOCK)
        y_RO[:, block] = torch.mm(weight_OI[block], x_IR).T[:rows]
    return y_RO
