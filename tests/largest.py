"""The memory of the tensors that a piece of code makes: of the largest, and of all at a time."""

import weakref
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode


class _New(TorchDispatchMode):
    """Takes each tensor that an operation gives out and that lies in none of the known ones."""

    def __init__(self, *known: torch.Tensor) -> None:
        super().__init__()
        self.known = {tensor.untyped_storage().data_ptr() for tensor in known}

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        made = function(*args, **(kwargs or {}))
        for tensor in made if isinstance(made, (tuple, list)) else (made,):
            if isinstance(tensor, torch.Tensor):
                storage = tensor.untyped_storage()
                if storage.nbytes() and storage.data_ptr() not in self.known:
                    self.take(tensor, storage.data_ptr(), storage.nbytes())
        return made

    def take(self, tensor: torch.Tensor, place: int, size_bytes: int) -> None:
        raise NotImplementedError


class Largest(_New):
    """Notes the largest memory that an operation gave out anew, in bytes."""

    size_bytes = 0

    def take(self, tensor: torch.Tensor, place: int, size_bytes: int) -> None:
        self.size_bytes = max(self.size_bytes, size_bytes)


class Held(_New):
    """Notes the most memory that tensors made inside held at one time, in bytes."""

    def __init__(self, *known: torch.Tensor) -> None:
        super().__init__(*known)
        self.tensors: dict[int, int] = {}  # of each storage, how many there are
        self.now_bytes = self.peak_bytes = 0

    def take(self, tensor: torch.Tensor, place: int, size_bytes: int) -> None:
        count = self.tensors.get(place, 0)
        self.now_bytes += 0 if count else size_bytes
        self.peak_bytes = max(self.peak_bytes, self.now_bytes)
        self.tensors[place] = count + 1
        weakref.finalize(tensor, self._drop, place, size_bytes)

    def _drop(self, place: int, size_bytes: int) -> None:
        self.tensors[place] -= 1
        self.now_bytes -= 0 if self.tensors[place] else size_bytes
