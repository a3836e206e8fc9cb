"""Weights that are not numbers: safetensors stores NaN and infinity without a word."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from foundry.core.errors import Problem
from foundry.core.language import gettext as _


def non_finite(tensors: Iterable[tuple[str, Any]]) -> list[str]:
    """Names of the tensors that hold NaN or infinity.

    A sum shows it without a copy of the tensor; only where the sum is no number is each looked at.
    """
    import torch

    return [
        name
        for name, tensor in tensors
        if tensor.is_floating_point()
        and not bool(torch.isfinite(tensor.sum(dtype=torch.float32)))
        and not bool(torch.isfinite(tensor).all())
    ]


def non_finite_in(path: Path) -> list[str]:
    """Names of the tensors of a safetensors file that hold NaN or infinity."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        return non_finite((name, file.get_tensor(name)) for name in file.keys())  # noqa: SIM118


def problem(where: str, names: list[str], fix: str) -> Problem:
    """What is wrong with a file whose tensors `names` are no numbers."""
    what = _("weights that are not finite numbers: {names}")
    return Problem(where, what.format(names=", ".join(names[:5])), fix)
