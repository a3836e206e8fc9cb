"""Cleaning frees what no run needs and leaves every run's evidence."""

from pathlib import Path

import pytest

from foundry.core import atomic
from foundry.store.run_clean import clean
from foundry.store.runs import Run
from tests.store.made_runs import PLAN, log, make

CHECKPOINTS = ["checkpoints/step-000002", "checkpoints/step-000003"]


def paths(run: Run, *, remove: bool = False) -> list[str]:
    """What cleaning one run finds."""
    return [one.path for one in clean([run], remove=remove).waste]


def everything(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def test_looking_removes_nothing(tmp_path: Path):
    run = make(tmp_path)
    before = everything(tmp_path)

    found = clean([run], remove=False)

    assert [one.path for one in found.waste] == CHECKPOINTS
    assert found.size_bytes == 2000
    assert everything(tmp_path) == before


def test_checkpoints_of_a_finished_training_go_and_all_else_stays(tmp_path: Path):
    run = make(tmp_path)
    before = everything(run.dir.path)

    found = clean([run], remove=True)

    gone = before - everything(run.dir.path)
    assert gone == {*CHECKPOINTS, *(f"{path}/adapter.safetensors" for path in CHECKPOINTS)}
    assert found.size_bytes == 2000
    assert paths(run) == []


def test_checkpoints_of_a_training_of_all_weights_go_too(tmp_path: Path):
    run = make(tmp_path, values={**PLAN["values"], "adapter": {"kind": "full"}})

    assert paths(run, remove=True) == CHECKPOINTS
    assert run.dir.file("model", "model.safetensors").is_file()


def test_checkpoints_of_an_interrupted_training_are_its_evidence(tmp_path: Path):
    run = make(tmp_path)
    run.dir.file("stamps", "train.json").unlink()
    log(run, "train", "begin")

    assert paths(run, remove=True) == []


@pytest.mark.parametrize("damage", [b"", b"other", None])
def test_checkpoints_stay_where_the_adapter_is_not_whole(tmp_path: Path, damage: bytes | None):
    run = make(tmp_path)
    adapter = run.dir.file("adapter", "adapter_model.safetensors")
    adapter.unlink()
    if damage is not None:
        adapter.write_bytes(damage)

    assert paths(run, remove=True) == []


def test_working_folders_and_half_written_files_go(tmp_path: Path):
    run = make(tmp_path, until="data")
    for name in ("checkpoints/.work/checkpoint-3/x", "data/.work/0/x", ".plan.json.77.tmp"):
        atomic.write_bytes(run.dir.file(name), b"x" * 10)
    atomic.write_bytes(run.dir.file("exports", ".gguf.tmp", "model.gguf"), b"x" * 10)
    kept = ["plan.json", ".gitignore", "data/x.tmp"]
    for name in kept[1:]:
        atomic.write_bytes(run.dir.file(name), b"x")

    found = clean([run], remove=True)

    assert {(one.path, one.why, one.size_bytes) for one in found.waste} == {
        ("checkpoints/.work", "work", 10),
        ("data/.work", "work", 10),
        (".plan.json.77.tmp", "half-written", 10),
        ("exports/.gguf.tmp", "half-written", 10),
    }
    assert paths(run) == []
    assert [name for name in kept if not run.dir.file(name).exists()] == []


@pytest.mark.parametrize("remove", [False, True])
def test_run_that_a_process_holds_is_left_alone(tmp_path: Path, remove: bool):
    run, other = make(tmp_path, "held-1"), make(tmp_path, "free-2")

    with run.dir.locked():
        found = clean([run, other], remove=remove)

    assert found.locked == ("held-1",)
    assert {one.run for one in found.waste} == {"free-2"}
    assert all(run.dir.file(path).is_dir() for path in CHECKPOINTS)


def test_nothing_behind_a_link_goes(tmp_path: Path):
    run = make(tmp_path / "runs")
    theirs = tmp_path / "theirs"
    atomic.write_bytes(theirs / ".x.tmp", b"x")
    atomic.write_bytes(theirs / "step-000001" / "x", b"x")
    run.dir.file("linked").symlink_to(theirs)
    atomic.remove(run.dir.file("checkpoints"))
    run.dir.file("checkpoints").symlink_to(theirs)

    assert paths(run, remove=True) == []
    assert (theirs / ".x.tmp").is_file() and (theirs / "step-000001").is_dir()
