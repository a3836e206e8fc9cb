"""The model as it was before the first step, which a preference is measured against.

Where an update lies beside untouched weights, it is switched off. Where what trains was part of the
base (`full`, and the updates that began as a part of the weights), what trains is exchanged for a
frozen copy, so that the reference is never the tuned model and no second base is held.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

import torch

from foundry.train.adapter_files import has_update, moves_base
from foundry.train.proof import trainable

Reference = Callable[[], AbstractContextManager[None]]


def is_copied(model: Any) -> bool:
    """Whether the reference is a copy of what trains."""
    return not has_update(model) or moves_base(model)


def reference_of(model: Any) -> Reference:
    """A context in which `model`, untrained so far, is what it is now.

    Nothing may be trained in it; a graph made outside must not be open across it.
    """
    if not is_copied(model):
        return partial(_switched_off, model)
    first = {name: p.detach().clone() for name, p in trainable(model).items()}
    return partial(_exchanged, model, first)


@contextmanager
def _switched_off(model: Any) -> Iterator[None]:
    with model.disable_adapter():
        yield


@contextmanager
def _exchanged(model: Any, first: Mapping[str, torch.Tensor]) -> Iterator[None]:
    tensors = dict(model.named_parameters())
    now = {name: tensors[name].data for name in first}
    for name, tensor in first.items():
        tensors[name].data = tensor
    try:
        yield
    finally:
        for name, tensor in now.items():
            tensors[name].data = tensor
