"""Exporter `merged`: base and adapter as one model, in the layout of transformers."""

from contextlib import AbstractContextManager, nullcontext
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

    dtype: Literal["float32", "bfloat16"] = Field(
        "float32", description="Type of the stored weights; bfloat16 halves size and precision."
    )


TOLERANCE = {
    "float32": {"max": 1e-3, "mean": 1e-4, "greedy": 1.0},
    "bfloat16": {"max": 0.5, "mean": 0.05, "greedy": 0.9},
}


def misfit(base: "BaseModel") -> "Problem | None":
    """Why this base cannot be exported so: every base can."""
    return None


def write(tuned: "Tuned", spec: Spec, out: Path) -> None:
    """Merge in float32 on the unquantised base (C30) and write a transformers folder."""
    from foundry.delivery.hf_files import copy_processor, write_stop_ids, write_tokenizer
    from foundry.models.quiet import quiet

    with quiet():
        import torch

        merged = tuned.freshly_merged()
        merged = merged.to(torch.bfloat16) if spec.dtype == "bfloat16" else merged
        for config in (merged.config, merged.config.get_text_config()):  # one, or two for images
            config.eos_token_id = list(tuned.stop_ids)
            if tuned.padding is not None:
                config.pad_token_id = tuned.encoder.tokenizer.convert_tokens_to_ids(tuned.padding)
        merged.save_pretrained(out)
    copy_processor(tuned, out)
    write_tokenizer(tuned, out)
    if tuned.padding is None:
        write_stop_ids(tuned, out)


def opened(tuned: "Tuned", spec: Spec, out: Path) -> "AbstractContextManager[Runtime]":
    """The folder as transformers loads it, with its own tokenizer."""
    from foundry.models.load import load_model
    from foundry.models.tokenizer import open_tokenizer
    from foundry.runtime.transformers import TransformersRuntime

    model = load_model(tuned.base, folder=out)
    return nullcontext(TransformersRuntime(model, open_tokenizer(out)))


def facts(tuned: "Tuned", spec: Spec, out: Path) -> dict[str, Any]:
    """What the folder itself says of its stop ids and of the prompts it renders."""
    from foundry.delivery.parity import folder_facts

    return folder_facts(out)


def judge(tuned: "Tuned", out: Path) -> Any:
    """A reward model as its user opens it, in full precision."""
    from foundry.models.quiet import quiet

    with quiet():
        from transformers import AutoModelForSequenceClassification

        return AutoModelForSequenceClassification.from_pretrained(
            out, local_files_only=True, dtype="float32"
        ).eval()
