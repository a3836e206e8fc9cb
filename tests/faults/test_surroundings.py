"""What changes around a run: its recipe, its data, its base, its clock, its memory."""

import ast
import json
import os
import re
import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from foundry.core import atomic, faults, processes, shortage
from foundry.core.errors import ResourceError
from foundry.data import prepare
from foundry.models import fetch
from foundry.planning import plan
from foundry.planning import shortage as telling
from foundry.runtime.transformers import TransformersRuntime
from foundry.stages import runners
from foundry.train.losses.supervised import SupervisedTrainer
from foundry.train.trainers import sft
from tests.cases import case, change
from tests.end_to_end import killed
from tests.faults import small
from tests.faults.table import ended, fault
from tests.once import once
from tests.tiny_recipe import TinyRecipe

PRODUCT = Path(faults.__file__).parents[1]


@pytest.fixture(scope="session")
def encoded(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> TinyRecipe:
    """The quick recipe before its training; not to touch."""

    def build(folder: Path) -> None:
        small.again(small.quick(folder / "tiny", tiny_base), "--until", "encode")

    return TinyRecipe(once(tmp_path_factory, "encoded", build) / "tiny")


@pytest.fixture
def fresh(encoded: TinyRecipe, tmp_path: Path) -> Callable[[], TinyRecipe]:
    """Gives a new copy of the recipe and its run at each call."""
    return lambda: encoded.copy(tmp_path / os.urandom(4).hex())


Fresh = Callable[[], TinyRecipe]


@fault("23", {"no hash is looked at": change(atomic, "sha256", lambda _path: "0")})
def test_flipped_byte_of_a_shard_is_seen_and_the_shard_made_anew(fresh: Fresh):
    """The rows of a run lie in its own hashed shards, in no cache of `datasets`."""
    recipe = fresh()
    shard = recipe.run.file("data", "shards", "train.parquet")
    before = shard.read_bytes()
    content = bytearray(before)
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)

    outcome = small.told(recipe, "--until", "encode")

    assert outcome.code == 0, outcome
    assert shard.read_bytes() == before


def test_training_leaves_no_rows_in_the_cache_of_datasets(
    fresh: Fresh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")

    small.again(fresh(), "--until", "train")

    assert not list(tmp_path.glob("cache/**/*.arrow"))


@fault("27", {"every recipe is one": change(plan.atomic, "fingerprint", lambda _: "0" * 64)})
def test_edited_recipe_is_another_run(fresh: Fresh):
    recipe = fresh()
    edited = recipe.file.read_text(encoding="utf-8").replace('"max_steps": 3', '"max_steps": 4')
    small.again(recipe, "--until", "plan")
    before = len(list(recipe.runs.iterdir()))
    recipe.file.write_text(edited, encoding="utf-8")

    small.again(recipe, "--until", "plan")

    assert len(list(recipe.runs.iterdir())) == before + 1


def appended(patch: pytest.MonkeyPatch, file: Path) -> None:
    """Somebody adds a row while the data are read."""
    divide = prepare.divide

    def change_and_divide(*args: Any, **options: Any) -> Any:
        with file.open("a", encoding="utf-8") as stream:
            stream.write("新問題？,新回答。\n")
        return divide(*args, **options)

    patch.setattr(prepare, "divide", change_and_divide)


@fault("29", {"nobody looks again": change(runners, "refuse_changed", lambda *_: None)})
def test_data_that_change_while_they_are_read_are_refused(tiny_base: Path, tmp_path: Path):
    recipe = small.quick(tmp_path / os.urandom(4).hex(), tiny_base)
    with pytest.MonkeyPatch.context() as patch:
        appended(patch, recipe.folder / "rows.csv")
        outcome = small.told(recipe, "--until", "data")

    assert (outcome.code, outcome.document.get("error")) == (1, "data"), outcome
    assert "changed while it was read" in outcome.out
    assert recipe.run.stamp("data") is None


@pytest.mark.parametrize(
    "given", ["best_by.metric=validation-loss", "early_stopping.patience=2", "evaluate_every=4"]
)
def test_loss_that_nothing_is_there_to_measure_on_is_refused_by_the_plan(fresh: Fresh, given: str):
    outcome = small.told(fresh(), "--until", "plan", "--set", f"train.{given}")

    assert (outcome.code, outcome.document["error"]) == (2, "recipe"), outcome
    assert "there are no validation rows to measure on" in outcome.out


@fault("18b", {"nobody looks inside": change(fetch, "check_folder", lambda *_, **__: None)})
def test_truncated_base_is_named_and_to_be_fetched_again(fresh: Fresh):
    recipe = fresh()
    weights = recipe.folder / "base" / "model.safetensors"
    os.truncate(weights, 100)

    outcome = small.told(recipe, "--until", "plan")

    assert (outcome.code, outcome.document["error"]) == (3, "resource"), outcome
    (problem,) = outcome.document["problems"]
    assert problem["where"] == str(weights)
    assert "again" in problem["fix"]


REVISION = "0123456789abcdef0123456789abcdef01234567"


@fault("22", {"nobody looks inside": change(fetch, "check_folder", lambda *_, **__: None)})
def test_truncated_blob_of_the_hub_cache_is_named_and_not_fetched_unasked(
    tiny_base: Path, tmp_path: Path
):
    """The guard of conftest.py fails the test if anything leaves this machine."""
    from huggingface_hub import constants

    cache = tmp_path / os.urandom(4).hex()
    snapshot = cache / "models--owner--tiny" / "snapshots" / REVISION
    shutil.copytree(tiny_base, snapshot)
    os.truncate(snapshot / "model.safetensors", 100)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(constants, "HF_HUB_CACHE", str(cache))
        told = ended(lambda: fetch.locate(f"owner/tiny@{REVISION}", tmp_path))

    assert isinstance(told, ResourceError), repr(told)
    (problem,) = told.problems
    assert problem.where == str(snapshot / "model.safetensors")
    assert problem.fix is not None and "fetch" in problem.fix


def jumping(start: float) -> Callable[[], float]:
    """A clock that is put back an hour and more at each look, from `start` on."""
    times = iter(range(10**6))
    return lambda: start - 4000.0 * next(times)


def on_the_wall(patch: pytest.MonkeyPatch) -> None:
    """Durations are taken from the clock on the wall."""
    patch.setattr(time, "monotonic", jumping(2e9))


@fault("24", {"durations by the wall clock": on_the_wall})
def test_clock_that_jumps_changes_no_duration_no_order_and_no_lock(fresh: Fresh):
    recipe = fresh()
    shutil.rmtree(recipe.run.file("stamps"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("time.time", jumping(2.3e9))  # of the year 2042
        patch.setenv("TZ", "Pacific/Kiritimati")
        small.again(recipe, "--until", "encode")
        assert not processes.is_gone(processes.this())

    lines = recipe.run.file("events.jsonl").read_text(encoding="utf-8").splitlines()
    told = [json.loads(line) for line in lines]
    late = told[next(n for n, e in enumerate(told) if e["t"] > "2039") :]
    assert [e["n"] for e in late] == sorted(e["n"] for e in late)
    assert [e["t"] for e in late] == sorted((e["t"] for e in late), reverse=True)
    assert all(event["seconds"] >= 0 for event in late if "seconds" in event)


def test_nothing_in_the_product_counts_by_the_wall_clock():
    """Dates of events, log files, runs, stages, accepted terms and signatures are for people.

    A judge's server may say by date when to ask again.
    """
    wall = {"time.time", "datetime.now", "datetime.today", "time.localtime"}
    found = {
        path.relative_to(PRODUCT).as_posix()
        for path in PRODUCT.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in wall
    }

    for_people = {"core/events.py", "core/moment.py", "core/rundir.py", "cli/main.py"}
    assert found <= {*for_people, "store/ledger.py", "store/acceptance.py", "evals/endpoint.py"}


step = SupervisedTrainer.training_step


def greedy(self: Any, *args: Any) -> Any:
    """Asks torch's own allocator for 32 TiB in the third step."""
    if self.state.global_step == 2:
        torch.empty(1 << 43)
    return step(self, *args)


@case(
    "C69",
    {
        "nobody knows the error": change(telling, "is_out_of_memory", lambda _error: False),
        "nobody knows the limit": change(telling, "memory_limit_bytes", lambda: None),
    },
)
def test_training_without_memory_ends_with_3_and_what_may_help(fresh: Fresh):
    recipe = fresh()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SupervisedTrainer, "training_step", greedy)
        outcome = small.told(recipe, "--until", "train")

    assert (outcome.code, outcome.document["error"]) == (3, "resource"), outcome
    (problem,) = outcome.document["problems"]
    assert problem["where"] == "train"
    assert "out of memory after step 2;" in problem["what"]
    assert "longest row" in problem["what"] and "?" not in problem["what"]
    tries = problem["fix"].split("; ")
    assert "train.micro_batch_size=1" in tries[0]
    assert "gradient_checkpointing" in tries[1] and "max_seq_len" in tries[2]
    assert problem["fix"].endswith("the last checkpoint is step-000002")


def everything(values: Any) -> dict[str, Any]:
    """How many questions are answered at once makes another run."""
    return {key: value for key, value in values.items() if key not in ("compute", "track")}


@case("C69", {"another run begins": change(plan, "deciding", everything)})
def test_evaluation_without_memory_goes_on_with_fewer_questions_at_once(fresh: Fresh):
    recipe = fresh()
    small.again(recipe, "--until", "export")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransformersRuntime, "generate", lambda *_, **__: torch.empty(1 << 43))
        outcome = small.told(recipe)
    (problem,) = outcome.document["problems"]
    advice = re.search(r"--set (evaluation.batch_size=\d+)", problem["fix"])
    assert (outcome.code, problem["where"]) == (3, "evaluate"), outcome
    assert advice

    done = small.told(recipe, "--set", advice[1])

    assert done.code == 0, done.err
    assert [path.name for path in recipe.runs.iterdir() if path.is_dir()] == [
        Path(done.document["run"]).name
    ]
    assert "train" in done.document["skipped"]
    said = int(advice[1].partition("=")[2])
    written = [json.loads((recipe.package / "foundry" / "plan.json").read_text(encoding="utf-8"))]
    written += [recipe.run.stamp("plan")["result"]]
    written += [json.loads(recipe.run.file("plan.json").read_text(encoding="utf-8"))]
    assert [one["values"]["evaluation"]["batch_size"] for one in written] == [said] * 3


def starve(*, is_blind: bool) -> None:
    """Give this process 64 MiB of memory more than it has, and a step that wants 1 GiB."""
    import resource

    def hungry(self: Any, *args: Any) -> Any:
        torch.empty(1 << 28)
        return step(self, *args)

    SupervisedTrainer.training_step = hungry
    if is_blind:
        telling.is_out_of_memory = lambda _error: False
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + (512 << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


@pytest.mark.slow
@pytest.mark.parametrize(("is_blind", "code"), [(False, 3), (True, 70)])
def test_process_at_its_limit_of_memory_ends_with_3(fresh: Fresh, is_blind: bool, code: int):
    """Row 26, and the same without its guard."""
    arguments = fresh().arguments("--until", "train")

    assert killed.run(arguments, partial(starve, is_blind=is_blind)) == code


def test_memory_limit_is_the_least_of_all(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shortage, "memory_bytes", lambda: 8)
    monkeypatch.setattr(shortage, "_own_limit", lambda: [5])

    assert shortage.memory_limit_bytes() == 5


def test_run_that_did_no_step_is_no_success(fresh: Fresh, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sft, "steps_for", lambda *_: 0)

    outcome = small.told(fresh(), "--until", "train")

    assert (outcome.code, outcome.document["error"]) == (1, "proof"), outcome
    assert "no step" in outcome.out
