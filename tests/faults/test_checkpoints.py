"""A checkpoint that is not what was saved is passed over with its reason (C65), and resume is
exact (C66)."""

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from foundry.core import atomic
from foundry.core.errors import InterruptedRun, ProofError, ResourceError
from foundry.core.events import Event
from foundry.core.rundir import RunDir
from foundry.train import adapter_files, checkpoint, made_with, resuming
from foundry.train.adapter_files import WEIGHTS, load_tuned
from tests.cases import case, change
from tests.faults import training
from tests.faults.table import ended, fault
from tests.tiny_run import adapter_bytes, metrics

STATES = ("optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json")
LAST = f"step-{training.STEPS:06d}"


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


Damage = Callable[[Path], object]
UNSEEN = {"no hash is looked at": change(checkpoint, "fault_of", lambda _path: None)}


@pytest.fixture
def finished(straight: RunDir, tmp_path: Path) -> RunDir:
    """A copy of the training that was not disturbed."""
    return RunDir(Path(shutil.copytree(straight.path, tmp_path / "run")))


def check_passed_over(run: RunDir, name: str, damage: Damage, reason: str) -> None:
    """The damaged newest checkpoint is named, and the one before it is whole."""
    older = run.file("checkpoints", training.saved(run)[-2])
    atomic.remove(run.file("damaged"))
    folder = Path(shutil.copytree(run.file("checkpoints"), run.file("damaged")))
    damage(folder / LAST / name)

    found, skipped = checkpoint.newest_whole(folder)

    assert found == folder / older.name
    assert skipped == [f"{LAST}: {name} {reason}"]


@fault("11", UNSEEN)
def test_truncated_adapter_is_passed_over(finished: RunDir):  # C65
    check_passed_over(finished, WEIGHTS, truncate, "is damaged")


@fault("12", UNSEEN)
@pytest.mark.parametrize("name", STATES)
def test_truncated_state_is_passed_over(finished: RunDir, name: str):  # C65
    check_passed_over(finished, name, truncate, "is damaged")


@fault("13", UNSEEN)
@pytest.mark.parametrize("name", [*STATES, WEIGHTS])
def test_missing_state_is_passed_over(finished: RunDir, name: str):  # C65
    check_passed_over(finished, name, Path.unlink, "is missing")


@fault("14", UNSEEN)
@pytest.mark.parametrize("name", [*STATES, WEIGHTS, "foundry.json"])
def test_flipped_bit_is_passed_over(finished: RunDir, name: str):  # C65
    check_passed_over(finished, name, flip, "is damaged")


@case("C65", UNSEEN)
def test_run_that_lost_its_optimizer_goes_on_from_before_and_ends_the_same(
    tiny_llama: Path, straight: RunDir, tmp_path: Path
):
    """Without it, transformers goes on without a word, to other losses."""
    run = RunDir(Path(shutil.copytree(straight.path, tmp_path / os.urandom(4).hex())))
    atomic.remove(run.file("adapter"))
    atomic.remove(run.file("checkpoints", LAST))
    run.file("checkpoints", "step-000006", "optimizer.pt").unlink()
    events: list[Event] = []

    training.fit(training.opened(tiny_llama, run.path, events.append))

    reasons = [event["reason"] for event in events if event["event"] == "skipped-checkpoint"]
    assert reasons == ["step-000006: optimizer.pt is missing"]
    assert [event["step"] for event in events if event["event"] == "resume"] == [4]
    assert adapter_bytes(run) == adapter_bytes(straight)


@fault("13", {"from zero": change(resuming.checkpoint, "newest_whole", lambda _folder: (None, []))})
def test_run_without_a_whole_checkpoint_is_not_begun_anew(
    tiny_llama: Path, straight: RunDir, tmp_path: Path
):  # C65
    run = RunDir(Path(shutil.copytree(straight.path, tmp_path / os.urandom(4).hex())))
    for name in training.saved(run):
        run.file("checkpoints", name, "scheduler.pt").unlink()

    told = ended(lambda: training.fit(training.opened(tiny_llama, run.path)))

    assert isinstance(told, ResourceError) and "no checkpoint is whole" in str(told), repr(told)


@fault("15", {"nobody counts": change(adapter_files, "_check_placed", lambda *_: None)})
def test_adapter_that_lost_a_tensor_is_refused(tiny_llama: Path, straight: RunDir, tmp_path: Path):
    from safetensors.torch import load_file, save_file

    base = training.opened(tiny_llama, tmp_path / "unused").base
    folder = Path(shutil.copytree(straight.file("adapter"), tmp_path / os.urandom(4).hex()))
    tensors = load_file(folder / WEIGHTS)
    tensors.pop(next(name for name in tensors if "up_proj.lora_B" in name))
    save_file(tensors, folder / WEIGHTS)

    told = ended(lambda: load_tuned(base, folder))

    assert isinstance(told, ProofError) and "up_proj.lora_B" in str(told), repr(told)


@fault("28", {"nobody compares": change(resuming, "check_same", lambda *_: [])})
def test_half_trained_run_is_not_gone_on_with_by_another_torch(tiny_llama: Path, tmp_path: Path):
    path = tmp_path / os.urandom(4).hex()
    begun = training.opened(tiny_llama, path, training.at("step", 3, stop))
    assert isinstance(ended(lambda: training.fit(begun)), InterruptedRun)
    other = {**made_with.made_with(), "packages": {"torch": "1.0"}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(made_with, "made_with", lambda: other)

        told = ended(lambda: training.fit(training.opened(tiny_llama, path)))

    assert isinstance(told, ResourceError) and told.exit_code == 3, repr(told)
    assert "-> 1.0" in str(told) and "pip install torch==" in str(told)
    assert begun.run.file("checkpoints", "step-000004").is_dir()


def test_other_number_of_cores_is_told_and_gone_on_with(finished: RunDir):
    then = made_with.made_with()
    then["machine"] = {**then["machine"], "cores": 1000}

    assert made_with.check_same(then, finished.path) == ["cores"]


def stop() -> None:
    signal.raise_signal(signal.SIGTERM)


def in_the_first_order(patch: pytest.MonkeyPatch) -> None:
    """The rows of the first epoch again, whatever the epoch."""
    from torch.utils.data import SequentialSampler

    from foundry.train.losses.supervised import SupervisedTrainer

    def sampler(self: Any, *_: Any) -> Any:
        return SequentialSampler(self.train_dataset)

    patch.setattr(SupervisedTrainer, "_get_train_sampler", sampler)


def without_random_state(patch: pytest.MonkeyPatch) -> None:
    """The checkpoint's random numbers are not given back."""
    from foundry.train.losses.supervised import SupervisedTrainer

    patch.setattr(SupervisedTrainer, "_load_rng_state", lambda *_: None)


def without_optimizer(patch: pytest.MonkeyPatch) -> None:
    """The checkpoint's moments are not given back."""
    from foundry.train.losses.supervised import SupervisedTrainer

    patch.setattr(SupervisedTrainer, "_load_optimizer_and_scheduler", lambda *_: None)


@case(
    "C66",
    {
        "the order of the first epoch": in_the_first_order,
        "other random numbers": without_random_state,
        "no moments": without_optimizer,
    },
)
def test_run_stopped_in_an_epoch_ends_with_the_same_bytes(
    tiny_llama: Path, straight: RunDir, tmp_path: Path
):
    """With dropout, two passes a step, two rows packed in each, and epochs of two steps."""
    check_stopped(tiny_llama, straight, tmp_path, 4)


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.parametrize("step", range(1, training.STEPS + 1))
def test_run_stopped_after_any_step_ends_with_the_same_bytes(
    tiny_llama: Path, straight: RunDir, tmp_path: Path, step: int
):  # C66
    check_stopped(tiny_llama, straight, tmp_path, step)


def check_stopped(tiny_llama: Path, straight: RunDir, tmp_path: Path, step: int) -> None:
    """Asked to stop after `step`, so stopped after the next if there is one, and taken up again."""
    path = tmp_path / os.urandom(4).hex()
    begun = training.opened(tiny_llama, path, training.at("step", step, stop))
    assert isinstance(ended(lambda: training.fit(begun, checkpoint_every=100)), InterruptedRun)

    training.fit(training.opened(tiny_llama, path), checkpoint_every=100)

    assert training.rows_of(begun.run) == training.rows_of(straight)
    assert metrics(begun.run) == metrics(straight)
    assert adapter_bytes(begun.run) == adapter_bytes(straight)
