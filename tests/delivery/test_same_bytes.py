"""Two packages of one run are the same bytes, whatever folder and time they are made in."""

import json
import os
import pickle
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from foundry.core import moment
from foundry.core.errors import RecipeError
from foundry.core.rundir import RunDir
from foundry.delivery import steps
from foundry.delivery.package import PackageInputs, build_package
from tests.cases import case, change

EPOCH = "1790000000"  # 2026-09-21T14:13:20Z
BUILD = (
    "import pickle, sys; from pathlib import Path; from foundry.delivery.package import "
    "build_package; build_package(pickle.loads(Path(sys.argv[1]).read_bytes()))"
)


def every_byte(package: Path) -> dict[str, bytes]:
    files = sorted(p for p in package.rglob("*") if p.is_file())
    return {path.relative_to(package).as_posix(): path.read_bytes() for path in files}


def elsewhere(inputs: PackageInputs, folder: Path) -> PackageInputs:
    """The same run and the ledger beside it, copied to another folder."""
    runs = Path(shutil.copytree(inputs.run.path.parent, folder))
    return replace(inputs, run=RunDir(runs / inputs.run.path.name))


def build(inputs: PackageInputs) -> dict[str, bytes]:
    return every_byte(inputs.run.file(build_package(inputs).path))


@case(
    "same-bytes",
    {
        "the clock": change(moment, "given", lambda: str(time.time_ns())),
        "the folder": change(steps, "_made", lambda stages: os.urandom(4).hex()),
    },
)
def test_two_builds_in_two_folders_are_the_same_bytes(inputs, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", EPOCH)

    first, second = build(inputs), build(elsewhere(inputs, tmp_path / "other" / "runs"))

    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []
    assert json.loads(first["bom.cdx.json"])["metadata"]["timestamp"] == "2026-09-21T14:13:20Z"


def test_another_process_zone_and_order_of_hashing_makes_the_same_bytes(inputs, tmp_path):
    first = build(inputs)
    other = elsewhere(inputs, tmp_path / "other")
    handed = tmp_path / "inputs.pickle"
    handed.write_bytes(pickle.dumps(other))
    told = {"TZ": "Asia/Taipei", "PYTHONHASHSEED": "7", "FOUNDRY_LANG": "zh-TW", "LC_ALL": "C"}

    subprocess.run(
        [sys.executable, "-c", BUILD, str(handed)],
        cwd=Path(__file__).resolve().parents[2],
        env={**os.environ, **told},
        check=True,
    )

    second = every_byte(other.run.file("package"))
    assert [name for name in first if first[name] != second[name]] == []


def test_without_the_setting_the_time_is_that_of_the_run(inputs, monkeypatch):
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    inputs.run.finish("data", "inputs", {}, [], time.monotonic() - 60)
    inputs.run.finish("evaluate", "inputs", {}, [], time.monotonic())
    stamp = inputs.run.stamp("evaluate")

    files = build(inputs)

    provenance = json.loads(files["provenance.intoto.json"])["predicate"]["runDetails"]["metadata"]
    assert json.loads(files["bom.cdx.json"])["metadata"]["timestamp"] == stamp["ended"]
    assert provenance["startedOn"] < provenance["finishedOn"] == stamp["ended"]
    assert build(inputs) == files


@pytest.mark.parametrize("count", ["yesterday", "-1", "1.5", "9" * 12, "１２３"])
def test_setting_that_is_no_count_of_seconds_is_refused(tmp_path, monkeypatch, count):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", count)

    with pytest.raises(RecipeError, match="SOURCE_DATE_EPOCH: not a count of seconds since 1970"):
        steps.record(RunDir(tmp_path))
