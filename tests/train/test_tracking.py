"""Trackers: the numbers in each one's own store are those of `metrics.jsonl`, on this machine."""

import json
import os
import re
import sqlite3
import struct
import threading
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest

from foundry.core import trackers
from foundry.core.errors import ResourceError
from foundry.core.events import Events
from foundry.core.recipe import Recipe
from foundry.core.rundir import RunDir
from foundry.train import tracking
from tests.cases import case, change
from tests.tiny_recipe import RECIPE, TOKEN

STEPS = [
    {"step": n, "of": 4, "loss": 1 / (n + 1), "grad_norm": 0.5 * n, "learning_rate": 1e-3 / n}
    for n in range(1, 4)
]
VALUES = Recipe.model_validate_json(json.dumps(RECIPE)).model_dump(mode="json")


def tracked(folder, *names, steps=STEPS, resumed=None, events=None, **values):
    """A training that did `steps`, as the pipeline tells of it."""
    plan = SimpleNamespace(name="tiny", values={**VALUES, **values})
    events = events or Events()
    run = RunDir(folder / "tiny-0123abcd")
    with tracking.tracked(names, plan, run, events):
        if resumed is not None:
            events.emit("train", "resume", step=resumed, tokens=0, supervised_tokens=0)
        for step in steps:
            events.emit("train", "step", **step, tokens_per_s=9.0, eta_s=1.0)
    return run


def in_tensorboard(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    seen = EventAccumulator(str(folder / "trackers" / "tensorboard" / "tiny-0123abcd"))
    seen.Reload()
    names = seen.Tags()["scalars"]
    return {name: {one.step: one.value for one in seen.Scalars(name)} for name in names}


def in_trackio(folder):
    (path,) = (folder / "trackers" / "trackio").glob("*.db")
    with sqlite3.connect(path) as store:
        rows = [json.loads(row[0]) for row in store.execute("select metrics from metrics")]
    names = {name for row in rows for name in row}
    return {n: {r["train/global_step"]: r[n] for r in rows if n in r} for n in names}


def in_mlflow(folder):
    with sqlite3.connect(folder / "trackers" / "mlflow.db") as store:
        rows = store.execute("select key, step, value from metrics").fetchall()
    return {key: {step: value for k, step, value in rows if k == key} for key, _s, _v in rows}


def records_of_a_log(data, block=2**15, head=7):
    """The records of a W&B file: LevelDB's log format behind seven bytes of its own.

    Source: https://github.com/google/leveldb/blob/main/doc/log_format.md
    """
    at, pieces = head, b""
    while at + head <= len(data):
        if block - at % block < head:
            at += block - at % block
            continue
        _checksum, length, kind = struct.unpack_from("<IHB", data, at)
        pieces += data[at + head : at + head + length]
        at += head + length
        if kind in (1, 4):  # whole, or the last piece
            yield pieces
            pieces = b""


def in_wandb(folder):
    from wandb.proto import wandb_internal_pb2

    (path,) = (folder / "trackers" / "wandb").glob("offline-run-*/run-*.wandb")
    rows = []
    for data in records_of_a_log(path.read_bytes()):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        items = record.history.item
        if items:
            rows.append({i.key or i.nested_key[0]: json.loads(i.value_json) for i in items})
    names = {name for row in rows for name in row}
    return {n: {r["train/global_step"]: r[n] for r in rows if n in r} for n in names}


READERS = {
    "tensorboard": in_tensorboard,
    "trackio": in_trackio,
    "mlflow": in_mlflow,
    "wandb": in_wandb,
}


@pytest.mark.filterwarnings("default")  # a training does not make theirs into errors
@pytest.mark.parametrize("name", READERS)
def test_a_tracker_holds_the_numbers_that_were_told(tmp_path, name):
    if name != "tensorboard" and trackers.missing([name]):
        pytest.skip("tried where it is installed")

    tracked(tmp_path, name)

    found = READERS[name](tmp_path)
    for key in ("loss", "grad_norm", "learning_rate"):
        told = {step["step"]: step[key] for step in STEPS}
        assert found[f"train/{key}"] == pytest.approx(told, rel=1e-6)  # TensorBoard has float32


def test_a_training_tells_tensorboard_what_it_writes_to_its_metrics(recipe):
    changes = ("track=[tensorboard]", "train.max_steps=3", "train.checkpoint_every=3")
    words = [word for one in changes for word in ("--set", one)]

    assert recipe.train("--until", "train", *words).code == 0

    (run,) = (path for path in recipe.runs.iterdir() if path.name.startswith("tiny-"))
    written = [json.loads(line) for line in (run / "metrics.jsonl").read_text("utf-8").splitlines()]
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    seen = EventAccumulator(str(recipe.runs / "trackers" / "tensorboard" / run.name))
    seen.Reload()
    for key in written[0].keys() - {"step", "of"}:
        found = {one.step: one.value for one in seen.Scalars(f"train/{key}")}
        assert found == pytest.approx({row["step"]: row[key] for row in written}, rel=1e-6)


def test_steps_that_a_killed_run_told_are_taken_back_when_it_goes_on(tmp_path):
    tracked(tmp_path, "tensorboard")
    again = [{**step, "loss": 7.0} for step in STEPS[1:]]

    tracked(tmp_path, "tensorboard", steps=again, resumed=1)

    assert in_tensorboard(tmp_path)["train/loss"] == pytest.approx({1: 0.5, 2: 7.0, 3: 7.0})


def test_nothing_is_written_where_no_tracker_is_named(tmp_path):
    tracked(tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_a_tracker_that_fails_stops_no_training(tmp_path, monkeypatch):
    from transformers.integrations.integration_utils import TensorBoardCallback

    def full(*_arguments, **_options):
        raise OSError(28, f"No space left for {TOKEN}")

    monkeypatch.setattr(TensorBoardCallback, "on_log", full)
    heard, before = [], threading.active_count()

    tracked(tmp_path, "tensorboard", events=Events([heard.append]))

    assert threading.active_count() <= before  # its writer's thread has ended

    warned = [event for event in heard if event["event"] == "warning"]
    assert [(event["code"], event["tracker"]) for event in warned] == [("tracker", "tensorboard")]
    assert TOKEN not in warned[0]["detail"]


def test_a_tracker_that_cannot_be_begun_is_refused_before_the_training(tmp_path):
    (tmp_path / "trackers").mkdir()
    (tmp_path / "trackers" / "tensorboard").write_text("a file in place of the folder")

    with pytest.raises(ResourceError, match="track: tensorboard: the tracker cannot be begun"):
        tracked(tmp_path, "tensorboard")


def test_a_package_that_is_not_installed_is_named_with_the_command(recipe, monkeypatch):
    monkeypatch.setitem(trackers.MODULES, "wandb", ("no_module_of_this_name",))

    outcome = recipe.train("--dry-run", "--set", "track=[tensorboard, wandb]")

    assert outcome.code == 3
    assert "pip install 'ai-foundry[wandb]'" in outcome.err
    assert "ai-foundry[tensorboard]" not in outcome.err


@case("C78", {"nothing is masked": change(tracking.secrets, "mask_all", lambda value: value)})
def test_no_token_reaches_a_tracker(tmp_path):
    tracked(tmp_path, "tensorboard", purpose=TOKEN)

    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert written
    assert not any(TOKEN.encode() in content for content in written)


def test_trackers_stay_on_this_machine_unless_the_user_says_where(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracking.example")
    monkeypatch.delenv("WANDB_MODE", raising=False)
    before = dict(os.environ)

    with tracking._at_home(tmp_path, "tiny"):
        inside = dict(os.environ)

    assert inside["WANDB_MODE"] == "offline"
    assert inside["TRACKIO_DIR"] == str(tmp_path / "trackio")
    assert inside["MLFLOW_TRACKING_URI"] == "http://tracking.example"
    assert dict(os.environ) == before


def test_every_tracker_of_a_recipe_has_an_extra_that_installs_it():
    project = Path(__file__).resolve().parents[2] / "pyproject.toml"
    extras = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["optional-dependencies"]

    assert set(trackers.MODULES) == set(READERS)
    for tracker, modules in trackers.MODULES.items():
        asked = {re.split(r"[>=<\[]", text)[0].removesuffix("-skinny") for text in extras[tracker]}
        assert asked == set(modules)
