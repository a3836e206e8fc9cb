"""Two processes train what one trains; whatever goes wrong in one of them ends both, by name."""

import json
import os
import shutil
import signal
import time
from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from foundry.core.rundir import RunDir
from foundry.train import steps
from foundry.train.processes import crew, worker
from tests import crew_run, tiny_recipe
from tests.cases import case, change
from tests.end_to_end.test_preferences import laid_out
from tests.faults import small
from tests.faults.table import fault
from tests.once import once
from tests.tiny_recipe import TinyRecipe

TWO = ("--set", "compute.processes=2")


@pytest.fixture(scope="session")
def encoded(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> TinyRecipe:
    """The same recipe, planned for two processes and encoded."""

    def build(folder: Path) -> None:
        made = small.lay_out(folder / "tiny", tiny_base, **crew_run.STEPS)
        small.again(made, "--until", "encode", *TWO)

    return TinyRecipe(once(tmp_path_factory, "encoded", build) / "tiny")


@pytest.fixture
def ready(encoded: TinyRecipe, tmp_path: Path) -> TinyRecipe:
    """A copy of it."""
    return encoded.copy(tmp_path / "tiny")


def own_tokens(rank: int) -> None:
    """Each process divides by the tokens of its own rows, and the sums are averaged."""
    training_step = steps.StepTrainer.training_step

    def step(self: Any, model: Any, inputs: Any, num_items_in_batch: Any = None) -> Any:
        items, crew = type(self).items, self.crew
        rows = inputs["rows"]
        costs = [len(row["input_ids"]) for row in rows]
        self.items = lambda _rows: 2 * items(self, crew.shares(rows, costs)[crew.rank])
        return training_step(self, model, inputs)

    steps.StepTrainer.training_step = step


def told(run: RunDir, name: str) -> list[float]:
    lines = run.file("metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)[name] for line in lines]


def losses(run: RunDir) -> list[float]:
    return told(run, "loss")


def weights(run: RunDir) -> dict[str, Any]:
    from safetensors.torch import load_file

    return dict(load_file(run.file("adapter", "adapter_model.safetensors")))


@pytest.fixture(scope="session")
def both(encoded: TinyRecipe, tmp_path_factory: pytest.TempPathFactory) -> tuple[RunDir, list[Any]]:
    """The same trained by two processes, and how each ended."""

    def build(folder: Path) -> None:
        made = encoded.copy(folder / "tiny")
        ended = crew_run.train([made.run, made.run])
        (folder / "ended.json").write_text(json.dumps(ended), encoding="utf-8")

    folder = once(tmp_path_factory, "both", build)
    ended = json.loads((folder / "ended.json").read_text(encoding="utf-8"))
    return TinyRecipe(folder / "tiny").run, ended


HEALTHY = crew_run.fault


@case("C13", {"each divides by its own tokens": change(crew_run, "fault", own_tokens)})
def test_two_processes_train_what_one_does(both: Any, ready: TinyRecipe, alone: TinyRecipe):
    run, ended = both
    if crew_run.fault is not HEALTHY:
        run, ended = ready.run, crew_run.train([ready.run, ready.run])

    assert [one.get("error") for one in ended] == [None, None], ended
    # The same float32 numbers, added in another order.
    assert losses(run) == pytest.approx(losses(alone.run), rel=1e-5)
    made, expected = weights(run), weights(alone.run)
    assert made.keys() == expected.keys()
    for name, tensor in made.items():
        assert (tensor - expected[name]).abs().max() < 1e-4, name
    assert ended[0]["result"]["proof"]["processes"]["count"] == 2


def apart(rank: int) -> None:
    """Each process learns from its own pairs alone."""
    crew.Crew.add_up = lambda self, parameters: None


FEW = ("--set", "train.max_steps=3", "--set", "train.global_batch_size=5")


@pytest.fixture(scope="session", params=["dpo", "orpo"])
def pairs(
    request: pytest.FixtureRequest, tiny_base: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Pairs that one process learned (`one`), and the same encoded for two (`two`)."""

    def build(folder: Path) -> None:
        made = {name: laid_out(folder / name, tiny_base, request.param) for name in ("one", "two")}
        small.again(made["one"], "--until", "train", *FEW)
        small.again(made["two"], "--until", "encode", *FEW, *TWO)

    return once(tmp_path_factory, f"pairs-{request.param}", build)


@case("C72", {"gradients stay apart": change(crew_run, "fault", apart)})
def test_two_processes_learn_the_pairs_that_one_does(pairs: Path, tmp_path: Path):
    one, two = (TinyRecipe(pairs / name / "tiny") for name in ("one", "two"))
    two = two.copy(tmp_path / os.urandom(4).hex())

    ended = crew_run.train([two.run, two.run])

    assert [one.get("error") for one in ended] == [None, None], ended
    for name in ("loss", "rewards/chosen", "rewards/margins", "rewards/accuracies"):
        assert told(two.run, name) == pytest.approx(told(one.run, name), rel=1e-4, abs=1e-5), name
    made, expected = weights(two.run), weights(one.run)
    assert max(float((made[name] - expected[name]).abs().max()) for name in expected) < 1e-4


@pytest.fixture(scope="session")
def seven_encoded(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> TinyRecipe:
    """Seven rows, two a step."""

    def build(folder: Path) -> None:
        train = {**small.TRAIN, "max_steps": None, "epochs": 1, "global_batch_size": 2}
        data = {key: value for key, value in tiny_recipe.RECIPE["data"].items() if key != "split"}
        overrides = {**small.SMALL, "evals": [], "train": train, "data": data}
        made = tiny_recipe.lay_out(folder / "seven", tiny_base, **overrides)
        lines = (made.folder / "rows.csv").read_text(encoding="utf-8").splitlines()
        (made.folder / "rows.csv").write_text("\n".join(lines[:8]) + "\n", encoding="utf-8")
        small.again(made, "--until", "encode", *TWO)

    return TinyRecipe(once(tmp_path_factory, "seven-rows", build) / "seven")


@pytest.fixture
def seven(seven_encoded: TinyRecipe, tmp_path: Path) -> TinyRecipe:
    """A copy of it."""
    return seven_encoded.copy(tmp_path / "seven")


def all_write(rank: int) -> None:
    crew.Crew.is_first = property(lambda self: True)


@case("C72", {"every process writes": change(crew_run, "fault", all_write)})
def test_rows_that_do_not_come_out_even_are_each_trained_once(seven: TinyRecipe):
    ended = crew_run.train([seven.run, seven.run])

    assert [one.get("error") for one in ended] == [None, None], ended
    assert [one["result"]["steps"] for one in ended] == [4, 4]
    assert len(losses(seven.run)) == 4
    seen = seven.run.file("checkpoints", "step-000004", "foundry.json").read_text(encoding="utf-8")
    assert len(json.loads(seen)["seen_rows"]) == len(set(json.loads(seen)["seen_rows"])) == 7


def unchecked(rank: int) -> None:
    worker.check_agreed = lambda said, plan: None


@case("C72", {"nobody compares": change(crew_run, "fault", unchecked)})
def test_rows_that_differ_by_a_byte_are_refused_by_rank(ready: TinyRecipe, tmp_path: Path):
    other = RunDir(shutil.copytree(ready.run.path, tmp_path / "other" / ready.run.path.name))
    shard = other.file("data", "shards", "train.parquet")
    content = bytearray(shard.read_bytes())
    content[-60] ^= 1  # in what the file says of itself, so that it can still be read
    shard.write_bytes(content)

    ended = crew_run.train([ready.run, other])

    assert [one.get("error") for one in ended] == ["data", "data"], ended
    said = "the encoded rows that rank 1 read are not those that were written"
    assert [one["problems"][0]["what"] for one in ended] == [said, said]


@case("C72", {"nobody compares": change(crew_run, "fault", unchecked)})
def test_base_that_differs_by_a_byte_is_refused_by_rank(ready: TinyRecipe, tmp_path: Path):
    other = RunDir(shutil.copytree(ready.run.path, tmp_path / "other" / ready.run.path.name))
    plan = json.loads(other.file("plan.json").read_text(encoding="utf-8"))
    base = Path(shutil.copytree(plan["base"]["folder"], tmp_path / "changed"))
    weights = bytearray((base / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (base / "model.safetensors").write_bytes(weights)
    plan["base"]["folder"] = str(base)  # as where a machine has another folder of that name
    other.file("plan.json").write_text(json.dumps(plan), encoding="utf-8")

    ended = crew_run.train([ready.run, other])

    assert [one.get("error") for one in ended] == ["proof", "proof"], ended
    said = "rank 1 read another base model than the plan's"
    assert [one["problems"][0]["what"] for one in ended] == [said, said]


def test_another_number_of_processes_than_planned_is_refused(ready: TinyRecipe):  # C72
    (ended,) = crew_run.train([ready.run])

    assert ended["error"] == "proof", ended
    assert "planned for 2 processes" in ended["problems"][0]["what"]


def unheld(rank: int) -> None:
    worker.check_held = lambda model, strategy: None


@case("C72", {"nobody looks": change(crew_run, "fault", unheld)})
def test_another_strategy_than_planned_is_refused(ready: TinyRecipe):
    file = ready.run.file("plan.json")
    plan = json.loads(file.read_text(encoding="utf-8"))
    plan["resolved"]["strategy"] = "of-another-version"
    file.write_text(json.dumps(plan), encoding="utf-8")

    ended = crew_run.train([ready.run, ready.run])

    said = "the plan's strategy is `of-another-version`, and the model is held as in `ddp`"
    assert [one.get("problems", [{}])[0].get("what") for one in ended] == [said, said]


def struck(rank: int) -> None:
    """The second process is killed in the third step, after the checkpoint of the second."""
    if rank == 1:
        training_step = steps.StepTrainer.training_step

        def step(self: Any, *given: Any, **named: Any) -> Any:
            if self.state.global_step == 2:
                os.kill(os.getpid(), signal.SIGKILL)
            return training_step(self, *given, **named)

        steps.StepTrainer.training_step = step


def test_killed_process_ends_the_other_and_the_run_goes_on_equal(
    ready: TinyRecipe, both: Any, monkeypatch: pytest.MonkeyPatch
):  # C72
    straight, _ended = both
    monkeypatch.setattr(crew_run, "fault", struck)
    began = time.monotonic()
    ended = crew_run.train([ready.run, ready.run])
    lasted = time.monotonic() - began
    monkeypatch.undo()

    again = crew_run.train([ready.run, ready.run])

    assert [one.get("error") for one in ended] == ["lost", None], ended
    assert lasted < 30, "C72: one that fails ends the others within 30 s"
    assert [one.get("error") for one in again] == [None, None], again
    assert losses(ready.run) == losses(straight)
    assert {n: t.tolist() for n, t in weights(ready.run).items()} == {
        n: t.tolist() for n, t in weights(straight).items()
    }


def unseeded(rank: int) -> None:
    """What dropout leaves out depends on all that was drawn before."""
    crew.Crew.own_noise = lambda self, seed, step: nullcontext()


def in_turn(faults: Sequence[Any], rank: int) -> None:
    for strike in faults:
        strike(rank)


@fault("8", {"nobody seeds dropout": change(crew_run, "fault", unseeded)})
def test_dropout_of_a_run_that_goes_on_is_that_of_the_straight_one(tiny_base: Path, tmp_path: Path):
    adapter = {**tiny_recipe.RECIPE["adapter"], "dropout": 0.2}
    values = {**small.SMALL, "train": {**small.TRAIN, **crew_run.STEPS}, "adapter": adapter}
    folder = tmp_path / os.urandom(4).hex()
    straight = tiny_recipe.lay_out(folder / "straight", tiny_base, **values)
    small.again(straight, "--until", "encode", *TWO)
    broken = straight.copy(folder / "broken")
    crew_run.train([straight.run, straight.run])

    faults = tuple(one for one in (crew_run.fault, struck) if one is not HEALTHY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crew_run, "fault", partial(in_turn, faults))
        stopped = crew_run.train([broken.run, broken.run])
    ended = crew_run.train([broken.run, broken.run])

    assert [one.get("error") for one in stopped] == ["lost", None], stopped
    assert [one.get("error") for one in ended] == [None, None], ended
    assert losses(broken.run) == losses(straight.run)
