"""kill -9: between shards, in a step, while saving, while packing (C65)."""

import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from foundry.core import atomic, faults
from foundry.core.rundir import STAGES
from foundry.train import checkpoint, resuming
from tests.cases import change
from tests.end_to_end import killed
from tests.faults import small
from tests.faults.table import fault
from tests.faults.test_checkpoints import without_random_state
from tests.once import once
from tests.tiny_recipe import TinyRecipe

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="kills with POSIX signals"),
]
KILLED = -signal.SIGKILL
KILLS, SEED = 20, 5
Made = tuple[TinyRecipe, dict[str, str]]


@pytest.fixture(scope="session")
def undisturbed(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The quick recipe to the end of its training, and the hashes of what it made."""

    def build(folder: Path) -> None:
        small.again(small.quick(folder / "tiny", tiny_base), "--until", "train")

    recipe = TinyRecipe(once(tmp_path_factory, "undisturbed", build) / "tiny")
    return recipe, small.made(recipe)


@pytest.fixture
def quick(tiny_base: Path, tmp_path: Path) -> Callable[[], TinyRecipe]:
    """Gives a new quick recipe, not run, at each call."""
    return lambda: small.quick(tmp_path / os.urandom(4).hex() / "tiny", tiny_base)


@contextmanager
def in_place(path: Path) -> Iterator[Path]:
    """Writes the file itself instead of one beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    yield path


def without_rename(wanted: str) -> None:
    """A fault in a product that writes its files in place."""
    atomic.replacing = in_place
    small.ask(wanted)


@pytest.mark.parametrize(("ask", "is_seen"), [(small.ask, False), (without_rename, True)])
def test_killed_between_rows_of_a_part_leaves_no_half_part(
    quick: Callable[[], TinyRecipe], undisturbed: Made, ask: Callable[[str], None], is_seen: bool
):
    """Row 1, and the same without its guard."""
    recipe = quick()

    code = killed.run(recipe.arguments("--until", "train"), partial(ask, "rows-write:1"))
    seen = recipe.run.file("data", "train.jsonl").exists()
    small.again(recipe, "--until", "train")

    assert (code, seen) == (KILLED, is_seen)
    assert small.made(recipe) == undisturbed[1]


@pytest.fixture
def stopped_in_a_step(tiny_base: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A run with dropout that was killed after its last checkpoint, and one that was not."""
    for name in ("straight", "struck"):
        folder = tmp_path / name / "tiny"
        small.quick(folder, tiny_base)
        text = (folder / "recipe.yaml").read_text(encoding="utf-8")
        text = text.replace('"alpha": 64', '"alpha": 64, "dropout": 0.1')
        (folder / "recipe.yaml").write_text(text, encoding="utf-8")
    straight, struck = (TinyRecipe(tmp_path / n / "tiny") for n in ("straight", "struck"))
    small.again(straight, "--until", "train")
    assert small.struck(struck, "line-half:3", "--until", "train") == KILLED
    return straight.folder, struck.folder


@fault("2", {"other random numbers": without_random_state})
def test_killed_in_a_step_goes_on_to_the_same_numbers(
    stopped_in_a_step: tuple[Path, Path], tmp_path: Path
):
    straight = TinyRecipe(stopped_in_a_step[0])
    struck = TinyRecipe(stopped_in_a_step[1]).copy(tmp_path / os.urandom(4).hex() / "tiny")

    small.again(struck, "--until", "train")

    assert struck.losses() == straight.losses()
    assert small.made(struck) == small.made(straight)


def killed_at_random(seed: int) -> None:
    """Kill this process at a random moment after the second save has begun."""
    commit = checkpoint.commit
    moment = random.Random(seed).uniform(0.0, 0.03)
    started = []

    def save(*args: object, **options: object) -> Path:
        started.append(True)
        if len(started) == 2:
            threading.Thread(target=lambda: (time.sleep(moment), killed.die())).start()
        made = commit(*args, **options)
        if len(started) == 2:
            time.sleep(moment)
        return made

    checkpoint.commit = save


@pytest.mark.exhaustive
@pytest.mark.parametrize("seed", range(SEED, SEED + KILLS))
def test_killed_at_a_random_moment_of_saving_recovers(
    quick: Callable[[], TinyRecipe], undisturbed: Made, seed: int
):  # C65
    recipe = quick()

    code = killed.run(recipe.arguments("--until", "train"), partial(killed_at_random, seed))
    small.again(recipe, "--until", "train")

    assert code == KILLED
    assert small.made(recipe) == undisturbed[1]


def half_saved() -> None:
    """As transformers saves: under its last name, and killed before the optimizer is there."""
    from foundry.train.losses.supervised import SupervisedTrainer

    whole = SupervisedTrainer._save_optimizer_and_scheduler

    def save(self: SupervisedTrainer, output_dir: str) -> None:
        if output_dir.endswith("-2"):
            folder = Path(output_dir)
            os.replace(folder, folder.parents[1] / "step-000002")
            killed.die()
        whole(self, output_dir)

    SupervisedTrainer._save_optimizer_and_scheduler = save


@pytest.fixture
def half_checkpoint(quick: Callable[[], TinyRecipe]) -> TinyRecipe:
    """A run whose newest checkpoint is half written; the one before it is whole."""
    recipe = quick()
    killed.run(recipe.arguments("--until", "train"), half_saved)
    return recipe


@fault("3", {"the newest is taken": change(resuming.checkpoint, "fault_of", lambda _path: None)})
def test_killed_while_saving_passes_over_the_half_checkpoint(
    half_checkpoint: TinyRecipe, undisturbed: Made, tmp_path: Path
):
    recipe = half_checkpoint.copy(tmp_path / os.urandom(4).hex() / "tiny")
    folder = recipe.run.file("checkpoints")
    assert sorted(p.name for p in folder.glob("step-*")) == ["step-000001", "step-000002"]

    outcome = small.told(recipe, "--until", "train")

    assert outcome.code == 0, outcome
    assert "step-000002: checkpoint.json is missing or damaged" in outcome.err
    assert recipe.losses() == undisturbed[0].losses()


MADE = {"export": "exports", "evaluate": "evals", "package": "package"}


@contextmanager
def folder_in_place(path: Path) -> Iterator[Path]:
    """Makes the folder itself instead of one beside it."""
    atomic.remove(path)
    path.mkdir(parents=True)
    faults.fault_point("folder-write")
    yield path


def without_folder_rename(wanted: str) -> None:
    """A fault in a product that makes its folders in place."""
    atomic.replacing_folder = folder_in_place
    small.ask(wanted)


@pytest.mark.parametrize(("ask", "is_seen"), [(small.ask, False), (without_folder_rename, True)])
def test_killed_while_packing_leaves_no_half_package(
    finished: TinyRecipe, ask: Callable[[str], None], is_seen: bool
):
    """Row 4, and the same without its guard."""
    before = small.made(finished)
    atomic.remove(finished.package)

    code = killed.run(finished.arguments(), partial(ask, "folder-write"))
    seen = finished.package.exists()
    outcome = small.again(finished)

    assert (code, seen) == (KILLED, is_seen)
    assert outcome.document["skipped"] == [stage for stage in STAGES if stage != "package"]
    assert small.made(finished) == before


def moments() -> list[tuple[str, str, int]]:
    """(stage, point, time) of the export, evaluation and package: each point of each, thrice."""
    points = ("file-write", "file-rename", "file-done", "stamp", "log-write")
    folders = ("folder-write", "folder-rename", "folder-done")
    return [
        (stage, point, time)
        for stage in MADE
        for point in (*points, *(folders if stage != "evaluate" else ("line-write", "line-half")))
        for time in ((1, 2, 3) if point in ("file-write", "file-rename", "file-done") else (1,))
    ]


@pytest.mark.exhaustive
@pytest.mark.parametrize(("stage", "point", "time_"), moments())
def test_killed_in_a_late_stage_ends_as_if_it_were_not(
    finished: TinyRecipe, stage: str, point: str, time_: int
):
    before = small.made(finished)
    for later in STAGES[STAGES.index(stage) :]:
        finished.run.file("stamps", f"{later}.json").unlink()
        atomic.remove(finished.run.file(MADE[later]))

    code = small.struck(finished, f"{point}:{time_}")
    small.again(finished)

    assert code in (KILLED, 0)  # 0 where a stage passes the point less often
    assert small.made(finished) == before


@pytest.mark.exhaustive
@pytest.mark.parametrize("point", sorted(faults.POINTS))
@pytest.mark.parametrize("time_", [1, 2, 3, 5, 8, 13, 21])
def test_killed_up_to_the_adapter_ends_as_if_it_were_not(
    quick: Callable[[], TinyRecipe], undisturbed: Made, point: str, time_: int
):
    recipe = quick()

    code = small.struck(recipe, f"{point}:{time_}", "--until", "train")
    small.again(recipe, "--until", "train")

    assert code in (KILLED, 0)
    assert small.made(recipe) == undisturbed[1]
