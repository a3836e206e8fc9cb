"""Exporter `gguf`: base and adapter merged into one file that llama.cpp runs."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from foundry.core.fields import Closed

if TYPE_CHECKING:
    from foundry.core.errors import Problem
    from foundry.core.records import BaseModel
    from foundry.delivery.artefact import Tuned
    from foundry.runtime.contract import Runtime

CARRIES = "weights"


class Spec(Closed):
    """How the weights are stored."""

    quantization: Literal["q8_0", "f16"] = Field(
        "q8_0",
        description="Storage of the large matrices: q8_0 is 8.5 bits a weight, f16 is 16.",
    )


FILE = "model.gguf"
# What llama.cpp's 8-bit activations cost, measured as largest and mean in nats: Gemma-3-270m on the
# shop 0.35 and 0.08, on four rows 0.40 and 0.08; SmolLM2-135M on four rows 1.00 and 0.16; f16 is
# off by at most 0.02 and 0.004 on both. Whether
# the weights themselves are right is told by `tensor_difference`, which has no such slack.
TOLERANCE = {
    "f16": {"max": 0.1, "mean": 0.01, "greedy": 0.95},
    "q8_0": {"max": 1.5, "mean": 0.25, "greedy": 0.9},
}


def misfit(base: "BaseModel") -> "Problem | None":
    """Why this base cannot be exported so; None if it can."""
    from foundry.delivery import gguf_fit

    return gguf_fit.misfit(base)


def write(tuned: "Tuned", spec: Spec, out: Path) -> None:
    """Merge in float32 (C30) and write `model.gguf`."""
    from foundry.delivery.gguf_files import write_model

    write_model(tuned, tuned.merged, out / FILE, quantization=spec.quantization)


def opened(tuned: "Tuned", spec: Spec, out: Path) -> "AbstractContextManager[Runtime]":
    """The file under llama.cpp."""
    from foundry.runtime.llamacpp import LlamaCppRuntime

    return LlamaCppRuntime(out / FILE)


def facts(tuned: "Tuned", spec: Spec, out: Path) -> dict[str, Any]:
    """What the file itself says, and how far its tensors are from the merged weights."""
    from foundry.delivery.parity import gguf_facts

    return gguf_facts(tuned, out / FILE)
