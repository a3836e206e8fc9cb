"""Plain TRL on the models and rows of `scripts/gpu_check.py`, a step of eight rows at a time."""

from collections.abc import Mapping, Sequence
from typing import Any

from foundry.planning.outcome import peak_bytes
from scripts import plain_trl

STEPS, ROWS_A_STEP = 4, 8
# As it comes, and with what is best for one row after another where memory allows it.
SWITCHES: Mapping[str, Mapping[str, Any]] = {
    "TRL's defaults": {"per_device_train_batch_size": ROWS_A_STEP},
    "TRL, row by row, activations kept": {
        "per_device_train_batch_size": 1,
        "gradient_accumulation_steps": ROWS_A_STEP,
        "gradient_checkpointing": False,
    },
}


def measured(
    model: Any, tokenizer: Any, rows: Sequence[Any], switches: Mapping[str, Any]
) -> dict[str, float]:
    """Useful tokens per second after the first step, and the most memory held on the device.

    Args:
        model: With its update, on the device.
        tokenizer: One that the trainer may hold; nothing is tokenised.
        rows: At least of all steps.
        switches: One of `SWITCHES`.
    """
    import torch

    is_gpu = torch.cuda.is_available()
    if is_gpu:
        torch.cuda.reset_peak_memory_stats()
    marks, _losses = plain_trl.trained(
        model,
        tokenizer,
        rows[: STEPS * ROWS_A_STEP],
        steps=STEPS,
        bf16=is_gpu,
        use_cpu=not is_gpu,
        max_length=None,
        **switches,
    )
    (begin, before), (end, after) = marks[0], marks[-1]
    peak = peak_bytes("cuda" if is_gpu else "cpu") or 0
    return {"tokens_per_s": (after - before) / (end - begin), "peak_gib": peak / 2**30}
