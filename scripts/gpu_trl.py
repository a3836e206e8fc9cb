"""Plain TRL on the models and rows of `scripts/gpu_check.py`, a step of eight rows at a time."""

import gc
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Any

STEPS, LEARNING_RATE = 4, 5e-4
# As it comes, and with what is best for one row after another where memory allows it.
SWITCHES: Mapping[str, Mapping[str, Any]] = {
    "TRL's defaults": {"per_device_train_batch_size": 8},
    "TRL, row by row, activations kept": {
        "per_device_train_batch_size": 1,
        "gradient_accumulation_steps": 8,
        "gradient_checkpointing": False,
    },
}


def measured(model: Any, tokenizer: Any, rows: Sequence[Any], switches: Any) -> dict[str, float]:
    """Useful tokens per second after the first step, and the most memory held on the device.

    Args:
        model: With its update, on the device.
        tokenizer: One that the trainer may hold; nothing is tokenised.
        rows: Of eight for each step.
        switches: Arguments of `SFTConfig`.
    """
    import torch
    from datasets import Dataset
    from transformers import PrinterCallback, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    from foundry.models.quiet import quiet
    from foundry.planning.outcome import peak_bytes

    marks: list[float] = []

    class Clock(TrainerCallback):
        def on_step_end(self, *given: Any, **named: Any) -> None:
            marks.append(time.monotonic())

    is_gpu = torch.cuda.is_available()
    if is_gpu:
        torch.cuda.reset_peak_memory_stats()
    table = [{"input_ids": list(r.input_ids), "labels": list(r.labels)} for r in rows]
    with quiet(), tempfile.TemporaryDirectory() as folder:
        trainer = SFTTrainer(
            model=model,
            args=SFTConfig(
                output_dir=folder,
                max_steps=STEPS,
                learning_rate=LEARNING_RATE,
                bf16=is_gpu,
                use_cpu=not is_gpu,
                save_strategy="no",
                logging_steps=1,
                report_to="none",
                disable_tqdm=True,
                max_length=None,
                shuffle_dataset=False,
                **switches,
            ),
            train_dataset=Dataset.from_list(table[: STEPS * 8]),
            processing_class=tokenizer,
            callbacks=[Clock()],
        )
        trainer.remove_callback(PrinterCallback)  # stdout is for the table
        trainer._get_train_sampler = lambda *_given: None  # type: ignore[method-assign]  # in order
        trainer.train()
    tokens = sum(len(row.input_ids) for row in rows[8 : STEPS * 8])
    peak = peak_bytes("cuda" if is_gpu else "cpu") or 0
    del trainer
    gc.collect()
    return {"tokens_per_s": tokens / (marks[-1] - marks[0]), "peak_gib": peak / 2**30}
