"""The update is multiplied by another factor than in training (C39)."""

import json
from pathlib import Path
from typing import Any

from foundry.delivery import artefact, gguf_adapter_file
from foundry.train import fitting
from tests.mutants.mutant import Mutant, Patch

save, merge = fitting.save_adapter, artefact.merge


def other_alpha(model: Any, base: Any, folder: Path, *rest: Any) -> None:
    save(model, base, folder, *rest)
    file = folder / "adapter_config.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    config["lora_alpha"] /= config["r"]
    file.write_text(json.dumps(config), encoding="utf-8")


def scaled(model: Any) -> Any:
    from peft.tuners.lora import LoraLayer

    for layer in model.modules():
        if isinstance(layer, LoraLayer):
            layer.scaling["default"] *= 2
    return merge(model)


def in_the_saved_adapter(patch: Patch) -> None:
    patch.setattr(fitting, "save_adapter", other_alpha)


def in_the_gguf_adapter(patch: Patch) -> None:
    patch.setattr(
        gguf_adapter_file, "gguf_alpha", lambda config: config["lora_alpha"] / config["r"]
    )


def in_the_merge(patch: Patch) -> None:
    patch.setattr(artefact, "merge", scaled)


MUTANTS = (
    Mutant(
        "alpha is divided by the rank when saved",
        in_the_saved_adapter,
        "train",
        "train.proof",
        "the saved adapter differs from the live model",
    ),
    Mutant(
        "alpha is divided by the rank in the GGUF adapter",
        in_the_gguf_adapter,
        "export",
        "export.gguf-adapter-f32",
        "the update differs in scale or value",
    ),
    Mutant(
        "the scale is doubled when merged",
        in_the_merge,
        "export",
        "export.gguf-q8_0",
        "log-probabilities of the next token differ",
    ),
)
