"""A model held in parts by two processes (FSDP2, gloo) trains what one process trains."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file
from torch.distributed.tensor import DTensor

from foundry.core.errors import ResourceError
from foundry.core.rundir import RunDir
from foundry.train import checkpoint, proof
from foundry.train.processes import sharding
from foundry.train.processes.crew import Crew
from tests import crew_run
from tests.cases import case, change
from tests.faults import small
from tests.faults.table import fault
from tests.faults.test_checkpoints import Damage, truncate
from tests.once import once
from tests.tiny_recipe import TinyRecipe, lay_out
from tests.train.processes.test_processes import TWO, apart, losses, weights

IN_PARTS = ("--set", "compute.strategy=fsdp2")


@pytest.fixture(scope="session")
def parts(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[RunDir, list[Any]]:
    """Trained in parts by two processes, and how each ended."""

    def build(folder: Path) -> None:
        made = small.lay_out(folder / "tiny", tiny_base, **crew_run.STEPS)
        small.again(made, "--until", "encode", *TWO, *IN_PARTS)
        ended = crew_run.train([made.run, made.run])
        (folder / "ended.json").write_text(json.dumps(ended), encoding="utf-8")

    folder = once(tmp_path_factory, "parts", build)
    ended = json.loads((folder / "ended.json").read_text(encoding="utf-8"))
    return TinyRecipe(folder / "tiny").run, ended


def test_model_in_parts_trains_what_one_process_does(parts: Any, alone: TinyRecipe):
    run, ended = parts

    assert [one.get("error") for one in ended] == [None, None], ended
    assert ended[0]["result"]["proof"]["processes"] == {"count": 2, "strategy": "fsdp2"}
    assert losses(run) == pytest.approx(losses(alone.run), rel=1e-5)
    made, expected = weights(run), weights(alone.run)
    assert made.keys() == expected.keys()
    for name, tensor in made.items():
        assert (tensor - expected[name]).abs().max() < 1e-4, name


def whole_weights(run: RunDir) -> dict[str, Any]:
    return dict(load_file(run.file("model", "model.safetensors")))


def both_ways(
    folder: Path, base: Path, adapter: dict[str, Any], *how: str
) -> tuple[TinyRecipe, TinyRecipe]:
    """A recipe trained by one process, and by two that end well and with the same losses."""
    settings = {**small.SMALL, "adapter": adapter, "exports": [{"kind": "merged"}]}
    settings["train"] = {**small.TRAIN, **crew_run.STEPS, "learning_rate": 1e-3}
    one, two = (lay_out(folder / name, base, **settings) for name in ("one", "two"))
    small.again(one, "--until", "train")
    small.again(two, "--until", "encode", *TWO, *how)
    ended = crew_run.train([two.run, two.run])
    assert [each.get("error") for each in ended] == [None, None], ended
    assert losses(two.run) == pytest.approx(losses(one.run), rel=1e-5)
    return one, two


def check_close(made: dict[str, Any], expected: dict[str, Any], most: float) -> None:
    assert made.keys() == expected.keys()
    assert max(float((made[n] - expected[n]).abs().max()) for n in expected) < most


@case("C72", {"the embedding is not added up": change(crew_run, "fault", apart)})
def test_all_weights_in_parts_are_trained_as_one_process_does(tiny_base: Path, tmp_path: Path):
    folder = tmp_path / os.urandom(4).hex()

    one, two = both_ways(folder, tiny_base, {"kind": "full"}, *IN_PARTS)

    check_close(whole_weights(two.run), whole_weights(one.run), 1e-5)
    # And once more from its middle, by one process.
    for name in ("model", "checkpoints/step-000004"):
        shutil.rmtree(two.run.file(name))
    small.again(two, "--until", "train")
    assert losses(two.run) == pytest.approx(losses(one.run), rel=1e-5)
    check_close(whole_weights(two.run), whole_weights(one.run), 1e-5)


UPDATES: dict[str, dict[str, Any]] = {
    "rslora": {"rank": 8},
    "lora-plus": {"rank": 8, "alpha": 16},
    "qlora": {"rank": 8, "alpha": 16},
}


@pytest.mark.parametrize("kind", UPDATES)
def test_update_of_each_kind_is_trained_in_parts_as_by_one(
    tiny_base: Path, tmp_path: Path, kind: str
):
    one, two = both_ways(tmp_path, tiny_base, {"kind": kind, **UPDATES[kind]}, *IN_PARTS)

    check_close(weights(two.run), weights(one.run), 1e-4)


def strays(rank: int) -> None:
    """The second process ends with another embedding, which both hold whole."""
    check = proof.check_alike

    def of_other(model: Any, crew: Crew) -> Any:
        for tensor in proof.trainable(model).values():
            if rank == 1 and not isinstance(tensor, DTensor):
                tensor.data.add_(1.0)
        return check(model, crew)

    proof.check_alike = of_other


def test_weights_outside_of_the_parts_are_compared(
    tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):  # C72
    settings = {**small.SMALL, "adapter": {"kind": "full"}, "exports": [{"kind": "merged"}]}
    settings["train"] = {**small.TRAIN, **crew_run.STEPS, "learning_rate": 1e-3}
    made = lay_out(tmp_path / "two", tiny_base, **settings)
    small.again(made, "--until", "encode", *TWO, *IN_PARTS)
    monkeypatch.setattr(crew_run, "fault", strays)

    ended = crew_run.train([made.run, made.run])

    said = "rank 1 trained to other numbers than rank 0"
    assert [one.get("problems", [{}])[0].get("what") for one in ended] == [said, said]


def replicated(rank: int) -> None:
    """A library that goes another way without a word, as accelerate does on a processor."""
    sharding.held = lambda model, place, crew: model


def test_model_that_is_held_whole_against_the_plan_is_refused(
    halfway: TinyRecipe, monkeypatch: pytest.MonkeyPatch
):  # C72
    monkeypatch.setattr(crew_run, "fault", replicated)

    ended = crew_run.train([halfway.run, halfway.run])

    said = "the plan's strategy is `fsdp2`, and the model is held as in `ddp`"
    assert [one.get("problems", [{}])[0].get("what") for one in ended] == [said, said]


def test_whole_checkpoint_is_not_gone_on_with_in_parts(tmp_path: Path):
    with pytest.raises(ResourceError, match="each held the whole model") as error:
        sharding.check_readable(tmp_path / "step-000002", Crew(0, 2, "fsdp2"))

    assert "set `compute.strategy` to `ddp`" in str(error.value)
    sharding.check_readable(tmp_path / "step-000002", Crew(0, 2, "ddp"))


def test_each_process_wrote_its_part_and_no_pickle(parts: Any):
    run, _ended = parts

    found = [path.name for path in run.file("checkpoints", "step-000002", "shards").iterdir()]

    assert len(found) == 2
    assert all(name.endswith(".safetensors") for name in found)


@pytest.fixture
def halfway(parts: Any, tmp_path: Path) -> TinyRecipe:
    """A copy that stood still after its second step."""
    made = TinyRecipe(parts[0].path.parents[1]).copy(tmp_path / "tiny")
    for name in ("adapter", "checkpoints/step-000004"):
        shutil.rmtree(made.run.file(name))
    return made


def check_same(run: RunDir, straight: RunDir) -> None:
    """The same float32 numbers, added in another order."""
    assert losses(run) == pytest.approx(losses(straight), rel=1e-5)
    now, then = weights(run), weights(straight)
    assert max(float((now[name] - then[name]).abs().max()) for name in then) < 1e-4


def forgetful(rank: int) -> None:
    sharding._read = lambda state, folder: None


@case("C66", {"nothing is read": change(crew_run, "fault", forgetful)})
def test_parts_of_two_are_gone_on_with_by_two(halfway: TinyRecipe, parts: Any):
    ended = crew_run.train([halfway.run, halfway.run])

    assert [one.get("error") for one in ended] == [None, None], ended
    check_same(halfway.run, parts[0])


def unseeing(rank: int) -> None:
    checkpoint.fault_of = lambda _path: None


@fault("16", {"no hash is looked at": change(crew_run, "fault", unseeing)})
@pytest.mark.parametrize(
    ("damage", "reason"), [(truncate, "is damaged"), (Path.unlink, "is missing")]
)
def test_damaged_part_is_named_and_nothing_is_trained(
    halfway: TinyRecipe, damage: Damage, reason: str
):
    part = min(halfway.run.file("checkpoints", "step-000002", "shards").iterdir())
    damage(part)

    ended = crew_run.train([halfway.run, halfway.run])

    told = [json.dumps(one.get("problems", [])) for one in ended]
    assert all(f"step-000002: shards/{part.name} {reason}" in one for one in told), ended
    assert not halfway.run.file("adapter").exists()


def test_parts_of_two_are_gone_on_with_by_one(halfway: TinyRecipe, parts: Any):
    small.again(halfway, "--until", "train")

    assert len(losses(halfway.run)) == 4
    check_same(halfway.run, parts[0])
