"""`foundry train` on two processes that torchrun starts: equal, killed, stopped from outside."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.commands import running
from tests.faults import small
from tests.once import once
from tests.tiny_recipe import TinyRecipe

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="finds a worker by /proc"),
]
TWO = ("--set", "compute.processes=2")
TRAIN = ("--until", "train")
STEPS = {"max_steps": 40, "checkpoint_every": 10, "global_batch_size": 4, "micro_batch_size": 2}
# At the room's usual 2e-2 a rounding of 1e-7 grows to 0.2 of the loss in 40 steps.
STEPS |= {"learning_rate": 1e-3}
TIMEOUT_S = 300


@pytest.fixture(scope="session")
def encoded(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> TinyRecipe:
    """Steps enough to be struck between two checkpoints."""

    def build(folder: Path) -> None:
        made = small.lay_out(folder / "tiny", tiny_base, **STEPS)
        small.again(made, "--until", "encode", *TWO)

    return TinyRecipe(once(tmp_path_factory, "encoded", build) / "tiny")


@pytest.fixture
def ready(encoded: TinyRecipe, tmp_path: Path) -> TinyRecipe:
    """A copy of it."""
    return encoded.copy(tmp_path / "tiny")


@pytest.fixture(scope="session")
def straight(encoded: TinyRecipe, tmp_path_factory: pytest.TempPathFactory) -> TinyRecipe:
    """The same, trained on two processes without a break."""

    def build(folder: Path) -> None:
        code, err = trained(encoded.copy(folder / "tiny"))
        assert code == 0, err

    return TinyRecipe(once(tmp_path_factory, "straight", build) / "tiny")


def shell(recipe: TinyRecipe) -> Any:
    """A shell's `foundry train` on two processes."""
    words = [sys.executable, "-m", "foundry", *recipe.arguments(*TRAIN, *TWO)]
    return running(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def ended(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """The exit code, and what stood on standard error."""
    _out, err = process.communicate(timeout=TIMEOUT_S)
    return process.returncode, err


def trained(recipe: TinyRecipe) -> tuple[int, str]:
    with shell(recipe) as process:
        return ended(process)


def wait_for_a_checkpoint(recipe: TinyRecipe, process: "subprocess.Popen[str]") -> None:
    end = time.monotonic() + TIMEOUT_S
    while not list(recipe.run.path.glob("checkpoints/step-*")):
        assert process.poll() is None and time.monotonic() < end, process.communicate()[1]
        time.sleep(0.005)


def worker(recipe: TinyRecipe, rank: int) -> int:
    """The process that torchrun gave a rank of this run."""
    plan = str(recipe.run.file("plan.json")).encode()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or is another user's
            words = (folder / "cmdline").read_bytes().split(b"\0")
            told = (folder / "environ").read_bytes().split(b"\0")
            if plan in words and f"RANK={rank}".encode() in told:
                return int(folder.name)
    raise AssertionError(f"no process is rank {rank}")


def losses(recipe: TinyRecipe) -> list[float]:
    lines = recipe.run.file("metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["loss"] for line in lines]


def weights(recipe: TinyRecipe) -> bytes:
    return recipe.run.file("adapter", "adapter_model.safetensors").read_bytes()


def test_two_processes_have_the_losses_of_one(
    straight: TinyRecipe, tiny_base: Path, tmp_path: Path
):
    alone = small.lay_out(tmp_path / "alone", tiny_base, **STEPS)
    small.again(alone, *TRAIN)

    result = json.loads(straight.run.file("train.json").read_text(encoding="utf-8"))
    assert result["proof"]["processes"]["count"] == 2
    # The same float32 numbers, added in another order.
    assert losses(straight) == pytest.approx(losses(alone), rel=1e-5)


def test_killed_worker_is_named_and_the_same_command_ends_equal(
    ready: TinyRecipe, straight: TinyRecipe
):  # C72
    with shell(ready) as process:
        wait_for_a_checkpoint(ready, process)
        os.kill(worker(ready, 1), signal.SIGKILL)
        code, err = ended(process)

    again, said = trained(ready)

    assert code == 3, err
    assert "rank 1 (process " in err and "was ended by SIGKILL" in err
    assert again == 0, said
    assert "goes on from step " in said
    assert losses(ready) == losses(straight)
    assert weights(ready) == weights(straight)


def test_stop_saves_and_says_75(ready: TinyRecipe, straight: TinyRecipe):
    with shell(ready) as process:
        wait_for_a_checkpoint(ready, process)
        process.send_signal(signal.SIGTERM)  # to the one that a person sees, not to its workers
        code, err = ended(process)
    saved = sorted(path.name for path in ready.run.path.glob("checkpoints/step-*"))

    again, said = trained(ready)

    assert code == 75, err
    assert again == 0, said
    assert f"goes on from step {int(saved[-1].removeprefix('step-'))}\n" in said
    assert weights(ready) == weights(straight)
