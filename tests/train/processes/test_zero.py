"""Two processes that share the optimizer by DeepSpeed (ZeRO-2, gloo) train what one trains."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from foundry.core.rundir import RunDir
from foundry.train.processes import zero
from tests import crew_run
from tests.cases import case, change
from tests.faults import small
from tests.once import once
from tests.tiny_recipe import TinyRecipe
from tests.train.processes.test_processes import HEALTHY, TWO, losses, struck, told, weights
from tests.train.processes.test_sharding import (
    UPDATES,
    both_ways,
    check_close,
    check_same,
    whole_weights,
)

pytest.importorskip("deepspeed", reason="an extra: pip install 'ai-foundry[deepspeed]'")

BY_ZERO = ("--set", "compute.strategy=deepspeed")


@pytest.fixture(scope="session")
def encoded(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> TinyRecipe:
    """The recipe of `alone`, planned for two processes and encoded."""

    def build(folder: Path) -> None:
        made = small.lay_out(folder / "tiny", tiny_base, **crew_run.STEPS)
        small.again(made, "--until", "encode", *TWO, *BY_ZERO)

    return TinyRecipe(once(tmp_path_factory, "encoded", build) / "tiny")


def trained(encoded: TinyRecipe, folder: Path) -> tuple[TinyRecipe, list[Any]]:
    made = encoded.copy(folder)
    return made, crew_run.train([made.run, made.run])


def means(rank: int) -> None:
    """DeepSpeed's mean over the processes is taken for their sum."""
    zero.summed = lambda loss, size: loss


def each_its_own(rank: int) -> None:
    """A process goes through its own rows only, and not as often as the other."""
    from foundry.train.processes.crew import Crew

    Crew.shares = lambda self, rows, costs: [list(rows)] * self.size


@case(
    "C13",
    {
        "a mean for a sum": change(crew_run, "fault", means),
        "every process has every row": change(crew_run, "fault", each_its_own),
    },
)
def test_shared_optimizer_trains_what_one_process_does(
    encoded: TinyRecipe, alone: TinyRecipe, tmp_path: Path
):
    made, ended = trained(encoded, tmp_path / "tiny")

    assert [one.get("error") for one in ended] == [None, None], ended
    assert ended[0]["result"]["proof"]["processes"]["strategy"] == "deepspeed"
    assert told(made.run, "grad_norm") == pytest.approx(told(alone.run, "grad_norm"), rel=1e-4)
    check_same(made.run, alone.run)


@pytest.mark.parametrize("kind", ["rslora", "full"])
def test_each_adapter_is_trained_with_a_shared_optimizer_as_by_one(
    tiny_base: Path, tmp_path: Path, kind: str
):
    one, two = both_ways(tmp_path, tiny_base, {"kind": kind, **UPDATES.get(kind, {})}, *BY_ZERO)

    read = whole_weights if kind == "full" else weights
    check_close(read(two.run), read(one.run), 1e-4)


@pytest.fixture(scope="session")
def straight(
    encoded: TinyRecipe, tmp_path_factory: pytest.TempPathFactory
) -> tuple[RunDir, list[Any]]:
    def build(folder: Path) -> None:
        _made, ended = trained(encoded, folder / "tiny")
        (folder / "ended.json").write_text(json.dumps(ended), encoding="utf-8")

    folder = once(tmp_path_factory, "straight", build)
    return TinyRecipe(folder / "tiny").run, json.loads((folder / "ended.json").read_text("utf-8"))


def test_no_pickle_of_deepspeeds_is_written(straight: Any):
    run, ended = straight

    assert [one.get("error") for one in ended] == [None, None], ended
    found = {path.suffix for path in run.file("checkpoints", "step-000002").rglob("*.*")}
    assert found == {".safetensors", ".json", ".pth"}  # the last is read with `weights_only`


def forgetful(rank: int) -> None:
    zero.set_moments = lambda trainer, read: None


@case("C66", {"the moments are forgotten": change(crew_run, "fault", forgetful)})
def test_killed_process_ends_the_other_and_both_go_on_equal(
    encoded: TinyRecipe, straight: Any, tmp_path: Path
):
    made = encoded.copy(tmp_path / "tiny")
    if crew_run.fault is HEALTHY:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(crew_run, "fault", struck)
            ended = crew_run.train([made.run, made.run])
        assert [one.get("error") for one in ended] == ["lost", None], ended
    else:
        shutil.copytree(straight[0].path, made.run.path, dirs_exist_ok=True)
        for name in ("adapter", "checkpoints/step-000004"):
            shutil.rmtree(made.run.file(name))

    ended = crew_run.train([made.run, made.run])

    assert [one.get("error") for one in ended] == [None, None], ended
    assert losses(made.run) == losses(straight[0])
    now, then = weights(made.run), weights(straight[0])
    assert all(now[name].equal(then[name]) for name in then)


def test_one_process_goes_on_with_what_two_shared(
    encoded: TinyRecipe, straight: Any, tmp_path: Path
):
    made = TinyRecipe(straight[0].path.parents[1]).copy(tmp_path / "tiny")
    for name in ("adapter", "checkpoints/step-000004"):
        shutil.rmtree(made.run.file(name))

    small.again(made, "--until", "train")

    check_same(made.run, straight[0])
