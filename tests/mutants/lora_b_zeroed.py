"""The update is zero though training looked well (C16, C18)."""

from typing import Any

import torch

from foundry.train import fitting
from foundry.train.adapters import lora
from tests.mutants.mutant import Mutant

prove, save, attach = fitting._prove, fitting.save_adapter, lora.attach


@torch.no_grad()
def zero(model: Any, part: str = "lora_B") -> None:
    for name, parameter in model.named_parameters():
        if part in name and "lora_B" in name:
            parameter.zero_()


def zeroed_then_proven(inputs: Any, *rest: Any) -> Any:
    zero(inputs.model)
    return prove(inputs, *rest)


def one_zeroed_then_proven(inputs: Any, *rest: Any) -> Any:
    zero(inputs.model, "layers.1.mlp.up_proj")
    return prove(inputs, *rest)


def zeroed_then_saved(model: Any, *rest: Any) -> None:
    zero(model)
    save(model, *rest)


def one_frozen(model: Any, spec: Any) -> Any:
    """One layer's update never trains: no gradient reaches it."""
    made = attach(model, spec)
    for name, parameter in made.named_parameters():
        if "layers.1.mlp.up_proj" in name:
            parameter.requires_grad_(False)
    return made


def replaced(module: Any, name: str, function: Any) -> Any:
    return lambda patch: patch.setattr(module, name, function)


STILL = "are as they were before training"
MUTANTS = (
    Mutant(
        "all updates are zeroed",
        replaced(fitting, "_prove", zeroed_then_proven),
        "train",
        "train.proof",
        STILL,
    ),
    Mutant(
        "one update is zeroed",
        replaced(fitting, "_prove", one_zeroed_then_proven),
        "train",
        "train.proof",
        STILL,
    ),
    Mutant(
        "updates are zeroed when saved",
        replaced(fitting, "save_adapter", zeroed_then_saved),
        "train",
        "train.proof",
        "the saved adapter differs from the live model",
    ),
    Mutant(
        "one update never trains",
        replaced(lora, "attach", one_frozen),
        "train",
        "train.proof",
        "are zero",
    ),
)
