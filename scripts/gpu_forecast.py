"""What the plan foretells of the trainings of `scripts/gpu_check.py`, on the device they run on."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import mean
from typing import Any

from foundry.core.records import EncodedRow
from foundry.encode.checks import supervised_tokens
from foundry.models.shape import shape_of
from foundry.planning import calibration, hardware
from foundry.planning.estimate.duration import seconds
from foundry.planning.estimate.job import QLORA, Job
from foundry.planning.estimate.memory import memory
from foundry.planning.estimate.rows import Rows
from foundry.planning.estimate.spread import Spread, exactly
from foundry.planning.hardware import Device


def job(
    config: Mapping[str, Any], rows: Sequence[EncodedRow], *, stored: str, **settings: Any
) -> Job:
    """The training of a model as the plan sees it, with the lengths that its rows have.

    Args:
        config: What would be in the model's `config.json`.
        rows: Those of all steps.
        stored: `nf4`, or anything else for whole weights.
        settings: The other attributes of `Job`.
    """
    lengths = [len(row.input_ids) for row in rows]
    counted = Rows(
        count=len(rows),
        tokens=exactly(mean(lengths)),
        supervised=exactly(mean(map(supervised_tokens, rows))),
        longest=max(lengths),
        origin="tokenizer",
    )
    return Job(
        shape=shape_of(config),
        is_guessed=False,
        adapter=QLORA if stored == "nf4" else "lora",
        targets=None,
        weights=settings["dtype"],
        optimizer="adamw",
        gradient_checkpointing=False,
        rows=counted,
        **settings,
    )


def foretold(job: Job, device: Device) -> dict[str, Spread]:
    """`tokens_per_s` of a step, without what happens once, and `peak_bytes` of the device."""
    learned = calibration.of(device)
    times = learned.time if learned else None
    one, two = (seconds(replace(job, steps=count), device, times) for count in (1, 2))
    step = Spread(two.low - one.low, two.expected - one.expected, two.high - one.high)
    peak = memory(job, device.backend, learned.memory if learned else None).total
    return {"tokens_per_s": exactly(job.step_tokens).over(step), "peak_bytes": peak}


def this_device() -> Device:
    """The GPU, or the processor where there is none."""
    return hardware.find(hardware.THIS_MACHINE)
