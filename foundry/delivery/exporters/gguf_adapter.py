"""Exporter `gguf-adapter`: the adapter alone as GGUF, for llama.cpp's `--lora`."""

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

CARRIES = "low-rank update"


class Spec(Closed):
    """How the update is stored."""

    dtype: Literal["f32", "f16"] = Field("f32", description="Type of the stored update.")


FILE = "adapter.gguf"
# The base file under it is quantised and its activations are rounded to 8 bits by llama.cpp.
TOLERANCE = {"max": 1.5, "mean": 0.25, "greedy": 0.9}


def misfit(base: "BaseModel") -> "Problem | None":
    """Why this base cannot be exported so; None if it can."""
    from foundry.delivery import gguf_fit

    return gguf_fit.adapter_misfit(base)


def write(tuned: "Tuned", spec: Spec, out: Path) -> None:
    """Write `adapter.gguf`, for the base's own GGUF file."""
    from foundry.delivery.gguf_adapter_file import write_adapter

    write_adapter(tuned, out / FILE, dtype=spec.dtype)


def opened(tuned: "Tuned", spec: Spec, out: Path) -> "AbstractContextManager[Runtime]":
    """The base's GGUF file with the adapter under llama.cpp."""
    from foundry.delivery.gguf_adapter_file import base_gguf
    from foundry.runtime.llamacpp import LlamaCppRuntime

    return LlamaCppRuntime(base_gguf(tuned), out / FILE)


def facts(tuned: "Tuned", spec: Spec, out: Path) -> dict[str, Any]:
    """How far the file's own update is from the adapter's, scale included (C39, C81)."""
    from foundry.delivery.gguf_adapter_file import update_difference

    return {"update_difference": update_difference(tuned, out / FILE)}
