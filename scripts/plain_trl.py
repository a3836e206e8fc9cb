"""A plain `SFTTrainer` on rows that are encoded already, and the clock beside it."""

import tempfile
import time
from collections.abc import Sequence
from typing import Any

LEARNING_RATE = 5e-4
Mark = tuple[float, int]  # seconds, useful tokens so far


def trained(
    model: Any, tokenizer: Any, rows: Sequence[Any], *, steps: int, **switches: Any
) -> tuple[list[Mark], list[float]]:
    """Train a model that has its update; a mark and the loss of each step.

    Args:
        model: On the device that it is to be trained on.
        tokenizer: One that the trainer may hold; nothing is tokenised.
        rows: With `input_ids` and `labels`.
        steps: Of the optimizer.
        switches: Further arguments of `SFTConfig`.
    """
    from datasets import Dataset
    from transformers import PrinterCallback, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    from foundry.models.quiet import quiet

    marks, losses = list[Mark](), list[float]()

    class Clock(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            marks.append((time.monotonic(), int(state.num_input_tokens_seen)))

        def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            losses.extend([kwargs["logs"]["loss"]] if "loss" in kwargs["logs"] else [])

    table = [{"input_ids": list(r.input_ids), "labels": list(r.labels)} for r in rows]
    with quiet(), tempfile.TemporaryDirectory() as folder:
        trainer = SFTTrainer(
            model=model,
            args=SFTConfig(
                output_dir=folder,
                max_steps=steps,
                learning_rate=LEARNING_RATE,
                lr_scheduler_type="constant",
                save_strategy="no",
                logging_steps=1,
                report_to="none",
                disable_tqdm=True,
                include_num_input_tokens_seen="non_padding",
                **switches,
            ),
            train_dataset=Dataset.from_list(table),
            processing_class=tokenizer,
            callbacks=[Clock()],
        )
        trainer.remove_callback(PrinterCallback)  # stdout is for what the script prints
        trainer.train()
    return marks, losses
