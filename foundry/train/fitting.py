"""Train from a recipe's `train` block, whatever its loss: arguments, resume, proof."""

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from foundry.core import atomic
from foundry.core.errors import Problem, ResourceError
from foundry.core.language import gettext as _
from foundry.core.records import TrainResult
from foundry.encode.checks import supervised_tokens
from foundry.models.place import Place
from foundry.models.products import quick_products
from foundry.train import capacity, checkpoint, descent, proof
from foundry.train.adapter_files import (
    has_update,
    load_tuned,
    save_adapter,
    save_whole,
    untrained,
)
from foundry.train.batches.packing import with_rows_apart
from foundry.train.exactness import deterministic, products_in_nineteen_bits
from foundry.train.fused import fused_updates
from foundry.train.inputs import FitInputs
from foundry.train.learning_rate import Trained
from foundry.train.losses.head import Head
from foundry.train.losses.objective import Objective
from foundry.train.memory import drop_steps, drop_weights, give_back_freed_memory
from foundry.train.probe import as_settled, settle, step_seconds
from foundry.train.processes import sharding
from foundry.train.progress import RECORDED, Progress
from foundry.train.resuming import take_best, train_on
from foundry.train.settings import TrainerSettings
from foundry.train.signals import StopRequest, stop_on_signals
from foundry.train.steps import StepTrainer, entry
from foundry.train.validation import Watch, watch_of

# transformers' own `constant` knows no warm-up; with none of it the two are one.
SCHEDULES: Mapping[str, str] = {"constant": "constant_with_warmup"}
# Where in a run lies what was trained.
FOLDERS: Mapping[Trained, str] = {"update": "adapter", "weights": "model"}


def fit(inputs: FitInputs, spec: TrainerSettings, objective: Objective) -> TrainResult:
    """Train by an objective; see `foundry.train.trainers.sft.fit`."""
    started = time.monotonic()
    if inputs.steps < 1:  # the Trainer would go on to the end of the epoch
        raise proof.refuse("train.steps", _("no step is to be done, so nothing would be learned"))
    give_back_freed_memory()
    folder = inputs.run.file("checkpoints")
    work, size = folder / checkpoint.WORK, checkpoint.size_bytes(inputs.model)
    crew = inputs.crew
    crew.by_first(lambda: atomic.remove(work))
    checkpoint.check_room(folder, size, keep=spec.most_checkpoints)
    before, layers = proof.copies(inputs.model), proof.updated_layers(inputs.model)
    inputs.events.emit("train", "layers", layers=layers)
    warnings = _warnings(inputs)
    for one in warnings:
        inputs.events.emit("train", "warning", **one)
    with (
        stop_on_signals() as stop,
        deterministic(spec.deterministic, inputs.place),
        quick_products(inputs.place.device),
        with_rows_apart(inputs) as inputs,
        fused_updates(inputs.model),
    ):
        head = objective.head(inputs)
        can_try = objective.can_try and crew.size == 1
        tried = partial(step_seconds, inputs, head) if can_try else None
        settled = crew.first_then_all(partial(settle, inputs, spec, tried))
        inputs = as_settled(inputs, settled)
        half = settled["dtype"].value == "bfloat16"
        if "learning_rate" in settled:
            spec = spec.model_copy(update={"learning_rate": settled["learning_rate"].value})
        trainer, watch = set_up(inputs, spec, stop, head, objective, half=half)
        evidence = {"layers": layers, "loss": probe_loss(trainer, inputs, spec, objective)}
        with checkpoint.whole_or_not(folder, size), products_in_nineteen_bits(inputs.place, half):
            train_on(inputs, trainer, watch)
        # One too many is there where a run was killed before it removed the oldest.
        best, keep = watch.best_step, spec.keep_checkpoints
        crew.by_first(lambda: checkpoint.drop_old(folder, keep=keep, best=best))
        # Takes off what accelerate put around `forward`, so that proofs are made in float32.
        trainer.accelerator.unwrap_model(inputs.model, keep_fp32_wrapper=False)
        step = trainer.state.global_step
        _heed(stop, inputs, step)  # what came after the last step's end
        course = _course(inputs, trainer, watch)
    _heed(stop, inputs, step)
    crew.by_first(lambda: atomic.remove(work))
    steps = step if watch.course.is_over else inputs.steps
    evidence |= _prove(inputs, trainer, before, steps, objective)
    trained = sum(first.numel() for first in before.values())
    records = _records(inputs)
    made = _result(inputs, trainer, records, evidence, trained, time.monotonic() - started)
    if objective.is_to_fall and course.get("kept_step", step) == step:
        warnings += _rise(inputs, records)
    return replace(made, warnings=warnings, validation=course)


def _heed(stop: StopRequest, inputs: FitInputs, step: int) -> None:
    """End where one of the processes was asked to; each calls it at the same place."""
    stop.agree(inputs.crew)
    if stop.signal_number is not None:
        raise stop.interrupted(step, inputs.steps)


def _course(inputs: FitInputs, trainer: StepTrainer, watch: Watch) -> dict[str, Any]:
    """What the validation rows said, after the best step's weights were taken if that is asked."""
    kept = {"kept_step": take_best(inputs, trainer, watch), "stopped_early": watch.course.is_over}
    return watch.course.as_dict() | kept if watch.rows else {}


def _warnings(inputs: FitInputs) -> tuple[dict[str, Any], ...]:
    """What is no fault, and may explain a model that learned too little."""
    if not has_update(inputs.model):
        return ()
    trained = sum(p.numel() for p in proof.trainable(inputs.model).values())
    found = capacity.warning(trained, sum(map(supervised_tokens, inputs.rows)))
    return () if found is None else (found,)


def _rise(inputs: FitInputs, records: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Any], ...]:
    """What says that the training made its loss worse; told at once."""
    found = descent.warning([record["loss"] for record in records])
    if found is None:
        return ()
    inputs.events.emit("train", "warning", **found)
    return (found,)


def _records(inputs: FitInputs) -> list[dict[str, Any]]:
    """What was written of each step."""
    lines = inputs.run.file("metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def set_up(
    inputs: FitInputs,
    spec: TrainerSettings,
    stop: StopRequest,
    head: Head | None,
    objective: Objective,
    *,
    half: bool,
) -> tuple[StepTrainer, Watch]:
    """The trainer of these inputs, and what measures on the validation rows.

    Args:
        half: Whether it computes in bfloat16.
    """
    watch = watch_of(inputs.validation, spec)
    progress = Progress(inputs, stop, watch, keep=spec.keep_checkpoints)
    work = inputs.run.file("checkpoints", checkpoint.WORK)
    arguments = _arguments(inputs, spec, work, objective, half=half)
    return _trainer(inputs, arguments, progress, head, objective), watch


def _trainer(
    inputs: FitInputs, arguments: Any, progress: Progress, head: Head | None, objective: Objective
) -> StepTrainer:
    from datasets import Dataset
    from transformers import PrinterCallback

    rows = [entry(row) for row in inputs.rows]
    sequences = inputs.sequences or [[index] for index in range(len(rows))]
    places = [{"rows": [rows[index] for index in sequence]} for sequence in sequences]
    trainer: StepTrainer = objective.trainer(
        model=inputs.model,
        args=arguments,
        train_dataset=Dataset.from_list(places),
        data_collator=_rows_of_a_step,
        processing_class=inputs.tokenizer,
        callbacks=[progress],
        arrangement=inputs.arrangement,
        head=head,
        crew=inputs.crew,
        optimizers=(_grouped(inputs, arguments), None),
        **objective.further(inputs),
    )
    trainer.remove_callback(PrinterCallback)  # prints to stdout, which is for data
    progress.trainer = trainer
    return trainer


def _grouped(inputs: FitInputs, arguments: Any) -> Any:
    """The optimizer of an adapter that has its own; None where the Trainer makes it."""
    from transformers import Trainer

    if inputs.optimizer is None:
        return None
    kind, settings = Trainer.get_optimizer_cls_and_kwargs(arguments, inputs.model)
    return inputs.optimizer(inputs.model, kind, weight_decay=arguments.weight_decay, **settings)


def _rows_of_a_step(places: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {"rows": [row for place in places for row in place["rows"]]}


def _arguments(
    inputs: FitInputs, spec: TrainerSettings, work: Path, objective: Objective, *, half: bool
) -> Any:
    """TRL's arguments; every one that TRL would switch on by itself is stated."""
    made = objective.config(
        output_dir=str(work),
        max_steps=inputs.steps,
        # One batch is one step; the trainer cuts it into micro-batches itself.
        per_device_train_batch_size=spec.global_batch_size,
        gradient_accumulation_steps=1,
        learning_rate=spec.learning_rate,
        lr_scheduler_type=SCHEDULES.get(spec.schedule, spec.schedule),
        warmup_steps=math.ceil(spec.warmup_ratio * inputs.steps),
        weight_decay=spec.weight_decay,
        max_grad_norm=spec.max_grad_norm,
        # transformers 5.24 calls so what TRL 1.16 and others call gradient checkpointing.
        activation_checkpointing=spec.gradient_checkpointing is True,
        # Reentrant, no gradient passes a frozen embedding: most updates stay zero (C16).
        activation_checkpointing_kwargs={"use_reentrant": False},
        optim=_optimizer(spec, inputs.place),
        bf16=half,
        use_cpu=not inputs.place.is_gpu,
        seed=inputs.seed,
        data_seed=inputs.seed,
        save_strategy="steps",
        save_steps=spec.checkpoint_every,
        logging_steps=1,
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        **objective.settings(),
    )
    if inputs.place.is_gpu:
        made._n_gpu = 1  # beside a second card a step's rows would be dealt out by DataParallel
    return made


def _trained(inputs: FitInputs) -> Trained:
    return "update" if has_update(inputs.model) else "weights"


def _optimizer(spec: TrainerSettings, place: Place) -> str:
    """The name that transformers has for it; fused on a GPU, one kernel for all tensors.

    Raises:
        ResourceError: bitsandbytes has no 8-bit optimizer for a processor.
    """
    if place.is_gpu:
        return "adamw_bnb_8bit" if spec.optimizer == "adamw-8bit" else "adamw_torch_fused"
    if spec.optimizer == "adamw-8bit":
        what = _("`adamw-8bit` needs a GPU, and this trains on the processor")
        raise ResourceError(Problem("train.optimizer", what, _("set it to `auto`")))
    return "adamw_torch"


def probe_loss(
    trainer: StepTrainer, inputs: FitInputs, spec: TrainerSettings, objective: Objective
) -> dict[str, Any]:
    """The first batch's loss by the trainer and by hand, which must agree; see `proof`."""
    return objective.probe(trainer, inputs.rows, spec.global_batch_size)


def _prove(
    inputs: FitInputs, trainer: StepTrainer, before: Any, steps: int, objective: Objective
) -> dict[str, Any]:
    """The checks after training; saves the adapter on the way."""
    model, place = inputs.model, inputs.place
    if trainer.state.global_step != steps:
        what = _("{done} steps were done, {planned} were planned")
        done = trainer.state.global_step
        raise proof.refuse("train.steps", what.format(done=done, planned=steps))
    evidence = {
        "mask": objective.check_seen(trainer, inputs),
        "optimizer": proof.check_optimizer(trainer.optimized(), model),
        "moved": proof.check_moved(model, before),
        **proof.check_alike(model, inputs.crew),
    }
    if place.is_gpu:
        drop_steps(trainer.optimizer, model.parameters())
    prefixes, computed = objective.probes(inputs.rows), model.dtype
    live = objective.says(model, prefixes)
    loading = sharding.where_to_load(place, inputs.crew, inputs.storage)
    with untrained(model, inputs.base, loading) as untouched:
        if untouched is not model:
            untouched = sharding.held(untouched, place, inputs.crew)
        base = objective.says(untouched, prefixes)
    del untouched
    evidence["differs"] = proof.check_differs(live, base, computed=computed)
    folder = inputs.run.file(FOLDERS[_trained(inputs)])
    state = sharding.whole_state(model, inputs.crew)
    if has_update(model):
        inputs.crew.by_first(lambda: save_adapter(model, inputs.base, folder, before, state))
    else:
        inputs.crew.by_first(lambda: save_whole(model, inputs.tokenizer, folder, state))
    if place.is_gpu and not inputs.crew.is_sharded:
        drop_weights(model)
    again = partial(_tuned, inputs)
    alike = {"computed": computed, "says": objective.says}
    evidence["reload"] = proof.check_reload(live, folder, again, prefixes, **alike)
    return evidence


def _tuned(inputs: FitInputs, folder: Path) -> Any:
    """The original base with what was saved upon it, held as the model that was trained."""
    loading = sharding.where_to_load(inputs.place, inputs.crew, inputs.storage)
    tuned = load_tuned(inputs.base, folder, storage=inputs.storage, place=loading)
    return sharding.held(tuned, inputs.place, inputs.crew)


def _result(
    inputs: FitInputs,
    trainer: StepTrainer,
    records: Sequence[Mapping[str, Any]],
    evidence: dict[str, Any],
    trained: int,
    seconds: float,
) -> TrainResult:
    return TrainResult(
        adapter=FOLDERS[_trained(inputs)],
        steps=trainer.state.global_step,
        epochs=round(len(trainer.seen_rows) / len(inputs.rows), 4),
        first_loss=records[0]["loss"],
        last_loss=records[-1]["loss"],
        seconds=round(trainer.seconds_before + seconds, 1),
        seconds_before=trainer.seconds_before,
        tokens=trainer.tokens,
        supervised_tokens=trainer.supervised.total(),
        trainable_parameters=trained,
        proof=evidence,
        metrics=_first_and_last(records),
    )


def _first_and_last(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What a trainer records of its own; not each step need have each metric."""
    names = dict.fromkeys(name for record in records for name in record if name not in RECORDED)
    found = {name: [record[name] for record in records if name in record] for name in names}
    return {name: {"first": values[0], "last": values[-1]} for name, values in found.items()}
