"""What a plan learns from, as its run directory holds it, in one process or in each of many."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from foundry.core import plugins
from foundry.core.records import BaseModel, EncodedRow, Plan
from foundry.core.rundir import RunDir
from foundry.encode.ends import ends_of
from foundry.encode.shards import read_held
from foundry.encode.tokenize import Encoder
from foundry.models.fetch import locate
from foundry.train.losses.asking import Asked, read_questions


@dataclass(frozen=True)
class Material:
    """What is learned from: encoded rows, rows to measure on, and what their tokens mean.

    The rest is as `FitInputs` has it.
    """

    rows: Sequence[EncodedRow]
    validation: Sequence[EncodedRow]
    stop_ids: Sequence[int]
    tokenizer: Any
    teacher: BaseModel | None = None
    ends: Sequence[int] = ()
    asked: Mapping[str, Asked] = field(default_factory=dict)


def material_of(plan: Plan, run: RunDir, encoder: Encoder, rows: Sequence[EncodedRow]) -> Material:
    """What a run holds for its trainer, once its rows are encoded.

    Args:
        plan: Of the run.
        run: Its stages `data` and `encode` are done.
        encoder: Of the base model.
        rows: The encoded rows to learn from.

    Raises:
        ResourceError: The teacher is not on this machine.
    """
    encoded, trainer = stamped(run, "encode"), plugins.load("trainer", plan.values["train"]["kind"])
    asked = {}
    if plugins.optional(trainer, "ASKS"):
        file, _sha256 = asked_file(run)
        asked = read_questions(file, rows, encoder)
    return Material(
        rows=rows,
        validation=read_held(run.file("data", "shards"), encoded["validation"]),
        stop_ids=tuple(encoded["stop_ids"]),
        tokenizer=encoder.tokenizer,
        teacher=teacher_of(plan),
        ends=ends_of(plan.base, encoded["stop_ids"], encoder.tokenizer.eos_token_id),
        asked=asked,
    )


def teacher_of(plan: Plan) -> BaseModel | None:
    """The model that a plan's trainer learns from; None where it has none."""
    name = plan.values["train"].get("teacher")
    return None if name is None else locate(name, Path(plan.recipe_path).parent)


def files_of(plan: Plan, run: RunDir) -> list[tuple[Path, str]]:
    """What is read to train, and the SHA-256 that each file had when it was written."""
    encoded, trainer = stamped(run, "encode"), plugins.load("trainer", plan.values["train"]["kind"])
    held = [encoded["validation"]] if encoded["validation"] else []
    shards = [(one["file"], one["sha256"]) for one in (encoded, *held)]
    found = [(run.file("data", "shards", name), sha256) for name, sha256 in shards]
    return [*found, asked_file(run)] if plugins.optional(trainer, "ASKS") else found


def asked_file(run: RunDir) -> tuple[Path, str]:
    """The examples to learn from as they were before they were encoded, and their SHA-256."""
    (part,) = (one for one in stamped(run, "data")["parts"] if one["name"] == "train")
    return run.file(part["file"]), part["sha256"]


def stamped(run: RunDir, stage: str) -> Mapping[str, Any]:
    """What a stage of a run stamped."""
    stamp = run.stamp(stage)
    assert stamp is not None, f"training is begun after the stage `{stage}`"
    made: Mapping[str, Any] = stamp["result"]
    return made
