"""Few rows at a time: the same numbers, and nothing left behind."""

import pytest
import torch

from foundry.runtime.few_rows import BLOCK, MOST_ROWS, few_rows_fast


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(5,), (1, 5), (3, 1, 5), (2, 7, 5), (MOST_ROWS + 1, 5), (0, 5)])
def test_same_numbers_as_the_layer_makes(shape: tuple[int, ...], bias: bool):
    layer, x = torch.nn.Linear(5, 9, bias=bias), torch.randn(shape)
    wanted = layer(x)

    with few_rows_fast(layer) as count:
        made = layer(x)

    assert count == 1
    assert made.shape == wanted.shape and made.is_contiguous()
    torch.testing.assert_close(made, wanted)


@pytest.mark.parametrize("rows", [1, 3, 7, 8, 13, MOST_ROWS])
def test_large_weight_makes_the_same_numbers_block_by_block(rows: int):
    layer, x = torch.nn.Linear(5, 2 * BLOCK + 9), torch.randn(rows, 5)
    wanted = layer(x)

    with few_rows_fast(layer):
        made = layer(x)

    torch.testing.assert_close(made, wanted)


def test_layer_is_as_it_was_afterwards():
    layer = torch.nn.Linear(5, 9)

    with pytest.raises(ZeroDivisionError), few_rows_fast(layer):
        raise ZeroDivisionError

    assert "forward" not in vars(layer)


def test_other_layers_keep_their_own_way():
    class Own(torch.nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x) + 1

    changed = torch.nn.Linear(5, 9)
    changed.forward = Own(5, 9).forward
    layers = torch.nn.ModuleList([Own(5, 9), torch.nn.Linear(5, 9, dtype=torch.bfloat16), changed])
    x = torch.randn(2, 5)
    wanted = [layer(x.to(layer.weight.dtype)) for layer in layers]

    with few_rows_fast(layers) as count:
        made = [layer(x.to(layer.weight.dtype)) for layer in layers]

    assert count == 0
    assert all(torch.equal(a, b) for a, b in zip(made, wanted, strict=True))
