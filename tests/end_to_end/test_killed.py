"""kill -9 anywhere, then the same command: the result of an uninterrupted run (C65, C66)."""

import os
import signal
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from foundry.core import atomic
from foundry.core.rundir import STAGES
from foundry.train import checkpoint
from tests.end_to_end import killed
from tests.tiny_recipe import Outcome, TinyRecipe

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="kills with POSIX signals"),
]
Whole = tuple[TinyRecipe, Outcome]
KILLED = -signal.SIGKILL
SECOND = "step-000016"


def adapter(recipe: TinyRecipe) -> bytes:
    return recipe.run.file("adapter", "adapter_model.safetensors").read_bytes()


def steps_done(recipe: TinyRecipe) -> int:
    """Lines that `metrics.jsonl` has by now."""
    for run in recipe.runs.glob("*/metrics.jsonl"):
        return run.read_text(encoding="utf-8").count("\n")
    return 0


def resume(recipe: TinyRecipe, *options: str) -> Outcome:
    outcome = recipe.train("--json", *options)
    assert outcome.code == 0, outcome
    return outcome


@pytest.mark.parametrize("steps", [1, 27])
def test_killed_while_training_goes_on_to_the_same_result(
    whole_run: Whole, recipe: TinyRecipe, steps: int
):
    code = killed.kill_when(recipe.arguments(), lambda: steps_done(recipe) >= steps)
    stamps = {path.stem for path in recipe.run.file("stamps").iterdir()}

    resume(recipe, "--until", "train")

    assert code == KILLED
    assert "train" not in stamps
    assert recipe.losses() == whole_run[0].losses()
    assert adapter(recipe) == adapter(whole_run[0])


def die_before_the_marker() -> None:
    """The second checkpoint has all its files and not the list of their hashes."""
    write = atomic.write_json

    def write_json(path: Path, value: Any) -> None:
        if path.name == checkpoint.MANIFEST and value["step"] == 16:
            killed.die()
        write(path, value)

    atomic.write_json = write_json


def die_at_the_rename(*, done: bool) -> None:
    """The second checkpoint is complete, before or after it is renamed into place."""
    replace = os.replace

    def rename(source: Any, target: Any) -> None:
        if Path(target).name != SECOND:
            return replace(source, target)
        if done:
            replace(source, target)
        return killed.die()

    atomic.os.replace = rename


def die_in_the_trainer() -> None:
    """The Trainer has written the adapter of the second checkpoint and not the optimizer."""
    from foundry.train.losses.supervised import SupervisedTrainer

    save = SupervisedTrainer._save_optimizer_and_scheduler

    def save_optimizer(self: Any, output_dir: str) -> None:
        if output_dir.endswith("-16"):
            killed.die()
        save(self, output_dir)

    SupervisedTrainer._save_optimizer_and_scheduler = save_optimizer


SAVING = {
    "the optimizer is written": (die_in_the_trainer, 8),
    "the hashes are written": (die_before_the_marker, 8),
    "it is renamed": (partial(die_at_the_rename, done=False), 8),
    "the oldest is removed": (partial(die_at_the_rename, done=True), 16),
}


@pytest.mark.parametrize(("fault", "step"), SAVING.values(), ids=SAVING)
def test_killed_while_saving_goes_on_from_what_is_whole(
    whole_run: Whole, recipe: TinyRecipe, fault: killed.Fault, step: int
):
    code = killed.run(recipe.arguments(), fault)

    outcome = resume(recipe, "--until", "train")

    assert code == KILLED
    assert f"goes on from step {step}\n" in outcome.err
    assert recipe.losses() == whole_run[0].losses()
    assert adapter(recipe) == adapter(whole_run[0])


def die_at_the_stamp(stage: str) -> None:
    """Everything of a stage is written but its stamp."""
    write = atomic.write_json

    def write_json(path: Path, value: Any) -> None:
        if path.name == f"{stage}.json" and path.parent.name == "stamps":
            killed.die()
        write(path, value)

    atomic.write_json = write_json


@pytest.mark.parametrize("stage", ["data", "encode", "export", "evaluate", "package"])
def test_killed_at_the_end_of_a_stage_does_that_stage_again(
    whole_run: Whole, finished: TinyRecipe, stage: str
):
    later = STAGES[STAGES.index(stage) :]
    for name in later:
        finished.run.file("stamps", f"{name}.json").unlink()

    code = killed.run(finished.arguments(), partial(die_at_the_stamp, stage))
    outcome = resume(finished)

    assert code == KILLED
    assert outcome.document["skipped"] == list(STAGES[: STAGES.index(stage)])
    assert outcome.document["proof"] == whole_run[1].document["proof"]


def die_after_an_answer() -> None:
    """One answer of the tuned model is on disk, the next is not."""
    from foundry.evals import answering

    append = answering.append_answer

    def append_answer(path: Path, answer: Any) -> None:
        append(path, answer)
        if path.stem == "tuned":
            killed.die()

    answering.append_answer = append_answer


def answers_in(content: bytes) -> list[bytes]:
    """The lines of a file of answers, without the seconds that each batch took."""
    return [line for line in content.splitlines() if not line.startswith(b'{"seconds"')]


def test_killed_between_two_answers_keeps_the_first(finished: TinyRecipe):
    answers = finished.run.file("evals", "answers", "tuned.jsonl")
    whole = answers.read_bytes()
    answers.unlink()

    code = killed.run(finished.arguments(), die_after_an_answer)
    kept = answers.read_bytes()
    resume(finished)

    assert code == KILLED
    assert answers_in(kept) == answers_in(whole)[:2]  # what it was made from, and one answer
    assert answers_in(answers.read_bytes()) == answers_in(whole)


def die_in_the_package() -> None:
    """The package has its files and no list of hashes yet."""
    from foundry.delivery import sums

    sums.write = lambda _folder: killed.die()


def test_killed_while_packing_leaves_no_half_package(finished: TinyRecipe):
    atomic.remove(finished.package)

    code = killed.run(finished.arguments(), die_in_the_package)
    seen = finished.package.exists()
    resume(finished)

    assert code == KILLED
    assert not seen
    assert not list(finished.run.path.glob(".package*"))


def test_terminated_process_saves_and_says_75(whole_run: Whole, recipe: TinyRecipe):
    process = killed.server().Process(target=killed.child, args=(recipe.arguments(), None))
    process.start()
    while process.is_alive() and steps_done(recipe) < 3:
        process.join(0.001)
    os.kill(process.pid, signal.SIGTERM)
    process.join(killed.TIMEOUT_S)
    resume(recipe, "--until", "train")

    assert process.exitcode == 75
    assert recipe.losses() == whole_run[0].losses()
