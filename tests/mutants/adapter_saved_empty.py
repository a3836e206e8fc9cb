"""The adapter's file holds no tensor, or not all (C18)."""

from pathlib import Path
from typing import Any

from foundry.train import fitting
from foundry.train.adapter_files import WEIGHTS
from tests.mutants.mutant import Mutant

save = fitting.save_adapter


def empty(model: Any, base: Any, folder: Path, *rest: Any) -> None:
    from safetensors.torch import save_file

    save(model, base, folder, *rest)
    save_file({}, folder / WEIGHTS)


def short(model: Any, base: Any, folder: Path, *rest: Any) -> None:
    from safetensors.torch import load_file, save_file

    save(model, base, folder, *rest)
    tensors = load_file(folder / WEIGHTS)
    tensors.pop(next(name for name in tensors if "lora_B" in name))
    save_file(tensors, folder / WEIGHTS)


SAYS = "found no place in the model"
MUTANTS = tuple(
    Mutant(
        fault,
        lambda patch, broken=broken: patch.setattr(fitting, "save_adapter", broken),
        "train",
        "adapter",
        SAYS,
    )
    for fault, broken in (("no tensor is saved", empty), ("one tensor is not saved", short))
)
