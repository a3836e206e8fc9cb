"""Runs are found, the newest first, and meant by the beginning of a name."""

import json
import os
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from foundry.cli.run_text import row
from foundry.core.errors import RecipeError, ResourceError
from foundry.store import run_diff, run_show
from foundry.store.run_list import overview
from foundry.store.run_state import state
from foundry.store.runs import Run, find, named
from tests.store.made_runs import log, make

ID = os.getpid()


def at_time(run: Run, time: str) -> None:
    """Let a run have done its last work at `time`."""
    line = json.dumps({"t": time, "stage": "package", "event": "end"})
    run.dir.file("events.jsonl").write_text(line + "\n", encoding="utf-8")


def test_folder_that_is_not_there_has_no_runs(tmp_path: Path):
    assert find(tmp_path / "runs") == []


def test_newest_work_is_first_and_other_folders_are_no_runs(tmp_path: Path):
    for name, time in [("a-1", "2026-01-02"), ("b-2", "2026-03-01"), ("c-3", "2026-02-01")]:
        at_time(make(tmp_path, name), f"{time}T00:00:00Z")
    (tmp_path / "notes").mkdir()
    (tmp_path / "ledger.jsonl").touch()

    assert [run.name for run in find(tmp_path)] == ["b-2", "c-3", "a-1"]


@pytest.mark.parametrize(
    "name", ["shop-1a2b3c4d", "sho", "1a2b", "shop-1a2b3c4d/", "runs/shop-1a2b3c4d", "./runs/shop"]
)
def test_run_is_meant_by_a_beginning_or_a_path(tmp_path: Path, monkeypatch, name: str):
    monkeypatch.chdir(tmp_path)
    run = make(Path("runs"))
    make(Path("runs"), "law-9f8e7d6c")

    assert named(Path("runs"), name).dir.path == run.dir.path


def test_whole_name_is_meant_though_another_begins_so(tmp_path: Path):
    make(tmp_path, "shop-1")
    make(tmp_path, "shop-1a")

    assert named(tmp_path, "shop-1").name == "shop-1"


@pytest.mark.parametrize(
    ("name", "kind", "what", "candidates"),
    [
        ("shop", RecipeError, "several runs begin so", ["shop-1a", "shop-1b"]),
        ("bank", ResourceError, "no run of this name", ["shop-1a", "shop-1b", "law-2c"]),
        ("", RecipeError, "several runs begin so", ["shop-1a", "shop-1b", "law-2c"]),
    ],
)
def test_name_that_is_not_clear_lists_candidates(tmp_path: Path, name, kind, what, candidates):
    for run in ("shop-1a", "shop-1b", "law-2c"):
        make(tmp_path, run)

    with pytest.raises(kind) as error:
        named(tmp_path, name)

    (problem,) = error.value.problems
    assert what in problem.what
    assert sorted(problem.fix.removeprefix("use one of ").split(", ")) == sorted(candidates)


def test_name_where_there_are_no_runs_says_where_they_would_be(tmp_path: Path):
    with pytest.raises(ResourceError, match="--runs"):
        named(tmp_path, "shop")


def test_run_in_short(tmp_path: Path):
    found = overview(make(tmp_path))

    assert (found.base, found.adapter, found.trainer) == ("tiny", "lora", "sft")
    assert (found.steps, found.of, found.loss) == (3, 3, 1.0)
    assert found.size_bytes == sum(p.stat().st_size for p in tmp_path.rglob("*") if p.is_file())


def test_bytes_behind_a_link_are_not_those_of_the_run(tmp_path: Path):
    run = make(tmp_path / "runs")
    before = run.size_bytes
    (tmp_path / "big").mkdir()
    (tmp_path / "big" / "file").write_bytes(b"x" * 100_000)
    run.dir.file("link").symlink_to(tmp_path / "big")

    assert Run(run.dir).size_bytes < before + 1000


@pytest.mark.parametrize("damage", [b"", b"{", b"[1]", b"\xff\xfe\x00", b"null"])
@pytest.mark.parametrize("file", ["plan.json", "metrics.jsonl", "stamps/train.json", "env.json"])
def test_damaged_file_says_nothing(tmp_path: Path, file: str, damage: bytes):
    run = make(tmp_path)
    run.dir.file(file).write_bytes(damage)

    found = overview(Run(run.dir))

    assert found.name == run.name
    assert found.state.kind == "done"


@pytest.mark.parametrize(
    ("file", "values"),
    [
        ("plan.json", {"base": 3, "values": [], "resolved": "x"}),
        ("metrics.jsonl", {"step": "x", "of": [], "loss": "y"}),
        ("stamps/train.json", {"seconds": "x", "result": [], "peak_memory_bytes": {}}),
    ],
)
def test_values_of_another_kind_say_nothing(tmp_path: Path, file: str, values: dict[str, Any]):
    run, other = make(tmp_path), make(tmp_path, "b-2")
    run.dir.file(file).write_text(json.dumps(values), encoding="utf-8")
    damaged = Run(run.dir)

    shown = row(overview(damaged))
    run_show.document(damaged)

    assert shown[0] == run.name
    assert run_diff.document(damaged, other)["a"] == run.name


def test_file_in_the_place_of_the_runs_is_refused(tmp_path: Path):
    (tmp_path / "runs").write_text("", encoding="utf-8")

    with pytest.raises(ResourceError, match="a file; a folder is needed there"):
        find(tmp_path / "runs")


def test_state_of_a_finished_run_is_done(tmp_path: Path):
    assert state(make(tmp_path)).as_dict() == {
        "kind": "done",
        "stage": "package",
        "pid": None,
        "problem": None,
    }
    assert state(make(tmp_path, "b-2", until="train")).stage == "train"


def test_state_after_a_kill_is_interrupted_at_the_stage_in_work(tmp_path: Path):
    found = state(log(make(tmp_path, until="encode"), "train", "begin"))

    assert (found.kind, found.stage) == ("interrupted", "train")


def test_state_while_an_export_of_several_is_killed_is_interrupted(tmp_path: Path):
    run = log(make(tmp_path, until="train"), "export", "begin")
    log(run, "export", "begin", name="gguf")

    found = state(log(run, "export", "end", name="gguf"))

    assert (found.kind, found.stage) == ("interrupted", "export")


@pytest.mark.parametrize(("error", "kind"), [("interrupted", "interrupted"), ("data", "failed")])
def test_state_after_a_stage_said_why_it_ended(tmp_path: Path, error: str, kind: str):
    problems = [{"where": "train", "what": "the loss is not finite", "fix": None}]
    run = log(make(tmp_path, until="encode"), "train", "failed", error=error, problems=problems)

    found = state(run)

    assert (found.kind, found.stage) == (kind, "train")
    assert (found.problem == "train: the loss is not finite") == (kind == "failed")


def test_state_of_a_run_that_was_begun_again_and_done_is_done(tmp_path: Path):
    run = log(make(tmp_path, until="encode"), "train", "failed", error="data", problems=[])

    assert state(log(run, "train", "end", seconds=1.0)).kind == "done"


def test_state_while_a_process_holds_the_run_names_it(tmp_path: Path):
    run = make(tmp_path)

    with run.dir.locked():
        held = state(run)

    assert (held.kind, held.pid) == ("running", str(ID))
    assert state(run).kind == "done"


def test_process_that_was_killed_holds_nothing(tmp_path: Path):
    run = make(tmp_path)
    run.dir.file(".owner").write_text("4711", encoding="utf-8")

    assert state(run).kind == "done"
    with run.dir.locked():  # looking took nothing away
        pass


def test_path_means_what_lies_there_and_no_run_of_the_same_name(tmp_path: Path):
    make(tmp_path / "runs", "shop-1a2b3c4d")

    with pytest.raises(ResourceError, match="no run lies there"):
        named(tmp_path / "runs", str(tmp_path / "other" / "shop-1a2b3c4d"))


def test_run_that_went_further_before_is_done_as_far_as_it_came(tmp_path: Path):
    run = make(tmp_path, "shop-1a2b3c4d")
    last = list(run.stamps)[-1]
    log(run, "data", "skipped")

    assert state(Run(run.dir)).stage == last != "data"


def test_stamp_of_work_that_went_on_counts_the_time_before(tmp_path: Path):
    run = make(tmp_path, "shop-1a2b3c4d")
    before = overview(run).seconds

    run.dir.finish("train", "inputs", {}, [], monotonic() - 5, seconds_before=10_800)

    took = Run(run.dir).stamps["train"]["seconds"]
    assert 10_805 <= took < 10_900
    assert overview(Run(run.dir)).seconds > max(before, 10_000)
