"""Exporter `adapter`: the adapter alone, in PEFT's layout, to be put on the original base."""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foundry.core import atomic
from foundry.core.fields import Closed

if TYPE_CHECKING:
    from foundry.core.errors import Problem
    from foundry.core.records import BaseModel
    from foundry.delivery.artefact import Tuned
    from foundry.runtime.contract import Runtime

CARRIES = "update"


class Spec(Closed):
    """Nothing to choose: the adapter is written as it was trained."""


TOLERANCE = {"max": 1e-4, "mean": 1e-5, "greedy": 1.0}


def misfit(base: "BaseModel") -> "Problem | None":
    """Why this base cannot be exported so: every base can."""
    return None


def write(tuned: "Tuned", spec: Spec, out: Path) -> None:
    """Copy the proven adapter to `out` and add tokenizer, template and stop ids."""
    from foundry.delivery.hf_files import write_stop_ids, write_tokenizer

    for file in sorted(tuned.adapter.iterdir()):
        atomic.copy(file, out / file.name)
    write_tokenizer(tuned, out)
    if tuned.padding is None:
        write_stop_ids(tuned, out)


def opened(tuned: "Tuned", spec: Spec, out: Path) -> "AbstractContextManager[Runtime]":
    """The original base with the adapter of `out`, read back from disk."""
    from foundry.runtime.transformers import TransformersRuntime
    from foundry.train.adapter_files import load_tuned

    return nullcontext(TransformersRuntime(load_tuned(tuned.base, out), tuned.encoder.tokenizer))


def facts(tuned: "Tuned", spec: Spec, out: Path) -> dict[str, Any]:
    """What the folder itself says of its stop ids and of the prompts it renders."""
    from foundry.delivery.parity import folder_facts

    return folder_facts(out)


def judge(tuned: "Tuned", out: Path) -> Any:
    """A reward model as its user opens it: transformers' class of the base, the adapter upon it."""
    from foundry.models.quiet import quiet

    with quiet():
        from peft import PeftModel
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        base = AutoModelForSequenceClassification.from_pretrained(
            tuned.base.folder, num_labels=1, local_files_only=True, dtype="float32"
        )
        tokenizer = AutoTokenizer.from_pretrained(out, local_files_only=True)
        base.config.pad_token_id = tokenizer.pad_token_id
        return PeftModel.from_pretrained(base, out, torch_device="cpu").eval()
