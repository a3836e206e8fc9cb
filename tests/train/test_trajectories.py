"""One run, made in other ways that must come to the same: losses and weights, step by step.

The canonical run takes five steps of four rows, packed, in float32. What differs from it in nothing
but how it is computed is held against it; a mutant of each check is a fault that it must find.
"""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load

from foundry.core.errors import InterruptedRun
from foundry.core.events import Event
from foundry.core.records import BaseModel
from foundry.models import language_part
from foundry.models.fetch import locate
from foundry.models.quiet import quiet
from foundry.train import fitting, proof
from foundry.train.adapters import lora
from foundry.train.batches import collate
from foundry.train.inputs import FitInputs
from foundry.train.losses import supervised
from foundry.train.losses.supervised import Supervised, SupervisedTrainer
from foundry.train.steps import StepTrainer
from foundry.train.trainers import sft
from tests import tiny
from tests.cases import case, change
from tests.tiny_run import Setup, adapter_bytes, fast, metrics, open_run

STEPS = 5
DROPOUT = lora.Spec(rank=4, alpha=8, dropout=0.1)
Weights = dict[str, torch.Tensor]


class Trajectory:
    """The loss of each step, and the update at the end."""

    def __init__(self, inputs: FitInputs) -> None:
        lines = metrics(inputs.run)
        self.losses = torch.tensor([line["loss"] for line in lines], dtype=torch.float64)
        self.weights: Weights = load(adapter_bytes(inputs.run))
        self.bytes = adapter_bytes(inputs.run)


def run(folder: Path, path: Path, *listeners: Any, **values: Any) -> Trajectory:
    """Five steps; `values` are settings of the trainer or of `Setup`."""
    ours = {key: values.pop(key) for key in ("kind", "pack_tokens", "adapter") if key in values}
    size = values.pop("micro_batch_size", 4)
    inputs = open_run(Setup(folder, STEPS, size, **ours), path, *listeners)
    sft.fit(inputs, fast(STEPS, **values))
    return Trajectory(inputs)


def assert_same(found: Trajectory, expected: Trajectory) -> None:
    """Float32 sums in another order, which AdamW enlarges where it divides by small gradients."""
    residual = (found.losses - expected.losses) / expected.losses
    assert len(found.losses) == len(expected.losses)
    assert residual.abs().max() < 1e-5
    assert residual.mean().abs() < 3e-6  # a one-sided shift is a bug, not noise
    assert set(found.weights) == set(expected.weights)
    off = [(found.weights[n] - expected.weights[n]).abs().max() for n in expected.weights]
    assert float(max(off)) < 1e-4


@pytest.fixture(scope="module", params=["tiny_llama", "tiny_gemma3"])
def folder(request: pytest.FixtureRequest) -> Path:
    made: Path = request.getfixturevalue(request.param)
    return made


@pytest.fixture(scope="module")
def canonical(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Trajectory:
    return run(folder, tmp_path_factory.mktemp("canonical"))


def mean_of_means(self: Any, model: Any, inputs: Any, num_items_in_batch: Any = None) -> Any:
    """Each micro-batch is divided by its own tokens, and the step by their number (C13)."""
    batches = self.micro_batches(inputs["rows"])
    loss = torch.zeros(())
    for batch in batches:
        items = int((batch["labels"] != -100).sum()) * len(batches)
        loss += super(StepTrainer, self).training_step(model, batch, items)
    self.step_divisors = {self.step_items}
    return loss


AVERAGED = {"averages are averaged": change(SupervisedTrainer, "training_step", mean_of_means)}


@case("C13", AVERAGED)
def test_rows_one_by_one_are_rows_together(canonical: Trajectory, folder: Path, tmp_path: Path):
    assert_same(run(folder, tmp_path, micro_batch_size=1), canonical)


flat = collate.flat


def crossing(rows: Any, *, zeros: Any = (), by_row: bool = False) -> dict[str, Any]:
    """Positions go on from row to row, and each sees the one before."""
    batch = flat(rows, zeros=zeros)
    return {**batch, "position_ids": torch.arange(batch["input_ids"].shape[1])[None]}


def unprobed(*_given: Any) -> dict[str, Any]:
    """The learning proof looks away, so that the trajectory itself must tell."""
    return {}


def blindly(*patches: Any) -> Any:
    def apply(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(fitting, "probe_loss", unprobed)
        for one in patches:
            one(patch)

    return apply


@case("C14", {"packed rows see each other": blindly(change(collate, "flat", crossing))})
def test_rows_in_a_pack_are_rows_alone(canonical: Trajectory, folder: Path, tmp_path: Path):
    packed = run(folder, tmp_path / "packed")
    alone = run(folder, tmp_path / "alone", kind="single")

    assert_same(packed, alone)
    assert_same(alone, canonical)


make_trainer = fitting._trainer


def cut_off(inputs: Any, spec: Any, *rest: Any) -> Any:
    """Where activations are computed twice, what the first layer says goes on without gradient."""
    if spec.gradient_checkpointing:
        last = inputs.model.get_base_model().get_decoder().layers[-1]
        last.register_forward_pre_hook(lambda _module, given: (given[0].detach(), *given[1:]))
    return make_trainer(inputs, spec, *rest)


@case("C16", {"a gradient is cut off": change(fitting, "_trainer", cut_off)})
def test_activations_computed_twice_are_activations_kept(
    canonical: Trajectory, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(proof, "check_moved", lambda *_: {})  # the trajectory itself must tell

    assert_same(run(folder, tmp_path, gradient_checkpointing=True), canonical)


def stop_after(number: int) -> Any:
    """Ask to stop once a step was told, as SIGTERM does."""
    import os
    import signal

    def listen(event: Event) -> None:
        if event["event"] == "step" and event["step"] == number:
            os.kill(os.getpid(), signal.SIGTERM)

    return listen


def forgetful(*given: Any, **named: Any) -> None:
    """The optimizer begins anew, as where its file is not found (engines.md 9)."""


@case(
    "C66",
    {
        "the optimizer forgets": change(
            SupervisedTrainer, "_load_optimizer_and_scheduler", forgetful
        )
    },
)
def test_run_taken_up_again_is_the_straight_one(folder: Path, tmp_path: Path):
    straight = run(folder, tmp_path / "straight", adapter=DROPOUT, micro_batch_size=1)
    with pytest.raises(InterruptedRun):
        run(folder, tmp_path / "run", stop_after(1), adapter=DROPOUT, micro_batch_size=1)

    resumed = run(folder, tmp_path / "run", adapter=DROPOUT, micro_batch_size=1)

    assert torch.equal(resumed.losses, straight.losses)
    assert resumed.bytes == straight.bytes


@pytest.fixture(scope="module")
def both_classes(
    one_thread: None, tmp_path_factory: pytest.TempPathFactory
) -> tuple[BaseModel, BaseModel]:
    """Gemma 3's class for images, and its class for text with the same weights."""
    folders = tiny.both_classes(tmp_path_factory.mktemp("classes"))
    wrapper, text = (locate(str(folder), Path()) for folder in folders)
    return wrapper, text


@case("C22", {"the tower too": change(language_part, "other_parts", lambda model: None)})
def test_class_for_images_trains_as_the_class_for_text(
    both_classes: tuple[BaseModel, BaseModel], tmp_path: Path
):
    wrapper, text = (
        run(Path(base.folder), tmp_path / Path(base.folder).name) for base in both_classes
    )
    wrapper.weights = {
        name.replace("language_model.", ""): weight for name, weight in wrapper.weights.items()
    }

    assert_same(wrapper, text)


def by_luck(inputs: Any, spec: Any, *rest: Any) -> Any:
    """The seed is that of the moment."""
    made = make_trainer(inputs, spec, *rest)
    torch.seed()
    return made


@case("C66", {"the seed is taken by luck": change(fitting, "_trainer", by_luck)})
def test_same_recipe_gives_the_same_bytes(folder: Path, tmp_path: Path):
    first, second = (run(folder, tmp_path / name, adapter=DROPOUT) for name in ("one", "two"))

    assert first.bytes == second.bytes


TRL_STEPS = 20


def plain_trl(inputs: FitInputs, path: Path, spec: sft.Spec) -> list[float]:
    """The same rows and the same initial update through TRL's own trainer, nothing overridden."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    given = fitting._arguments(inputs, spec, path, Supervised(), half=False)
    args = SFTConfig(
        output_dir=str(path),
        max_steps=TRL_STEPS,
        per_device_train_batch_size=spec.global_batch_size,
        learning_rate=given.learning_rate,
        lr_scheduler_type=given.lr_scheduler_type,
        warmup_steps=given.warmup_steps,
        weight_decay=given.weight_decay,
        max_grad_norm=given.max_grad_norm,
        gradient_checkpointing=False,
        bf16=False,
        use_cpu=True,
        seed=given.seed,
        data_seed=given.data_seed,
        logging_steps=1,
        report_to="none",
        disable_tqdm=True,
        save_strategy="no",
        max_length=None,
        dataset_kwargs={"skip_prepare_dataset": True},
    )
    rows = [{"input_ids": list(r.input_ids), "labels": list(r.labels)} for r in inputs.rows]
    trainer = SFTTrainer(
        model=inputs.model,
        args=args,
        train_dataset=Dataset.from_list(rows),
        processing_class=inputs.tokenizer,
    )
    trainer.train()
    return [line["loss"] for line in trainer.state.log_history if "loss" in line]


loss_of = supervised.supervised_loss


def shifted_twice(model: Any, inputs: dict[str, Any], head: Any = None) -> torch.Tensor:
    labels = inputs["labels"].roll(-1, dims=1)
    labels[:, -1] = -100
    return loss_of(model, {**inputs, "labels": labels}, head)


@case(
    "C15",
    {"labels are shifted twice": blindly(change(supervised, "supervised_loss", shifted_twice))},
)
def test_twenty_steps_are_those_of_plain_trl(
    tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(proof, "check_seen", lambda *_: {})
    setup = Setup(tiny_llama, TRL_STEPS)
    ours, theirs = open_run(setup, tmp_path / "ours"), open_run(setup, tmp_path / "trl")
    initial = [proof.trainable(one.model) for one in (ours, theirs)]
    assert all(torch.equal(p, initial[1][n]) for n, p in initial[0].items())
    spec = fast(TRL_STEPS, learning_rate=1e-3)

    with quiet():
        losses = plain_trl(theirs, tmp_path / "trl", spec)
    expected = torch.tensor(losses, dtype=torch.float64)
    sft.fit(ours, spec)

    found = torch.tensor([x["loss"] for x in metrics(ours.run)], dtype=torch.float64)
    assert len(found) == len(expected) == TRL_STEPS
    assert ((found - expected).abs() / expected).max() <= 1e-4
    live, reference = proof.trainable(ours.model), proof.trainable(theirs.model)
    assert max(float((live[n] - p).detach().abs().max()) for n, p in reference.items()) <= 1e-4
