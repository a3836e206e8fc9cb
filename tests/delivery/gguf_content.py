"""What a GGUF file holds, read by the `gguf` package's own reader."""

from pathlib import Path

import gguf
import numpy as np

from foundry.delivery.gguf_files import declared_ends
from foundry.models.gguf_reader import Reader


def tensors(path: Path) -> dict[str, tuple[np.ndarray, gguf.GGMLQuantizationType]]:
    """Each tensor as float32, and how it is stored, by its name."""
    return {
        tensor.name: (gguf.quants.dequantize(tensor.data, tensor.tensor_type), tensor.tensor_type)
        for tensor in gguf.GGUFReader(path).tensors
    }


def ends(path: Path) -> set[int]:
    """The ids that it declares as ends."""
    return declared_ends(Reader(path))
