"""`--events`: whatever the end, stdout is a stream of JSON lines whose last one says it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from foundry.core.events import HEAD
from foundry.core.rundir import STAGES
from foundry.stages import runners, walk
from tests.tiny_recipe import TinyRecipe, call

ROOT = Path(__file__).resolve().parents[2]


def stream(text: str) -> list[dict[str, Any]]:
    """The events of a stream, after the checks that every stream must pass."""
    events = [json.loads(line) for line in text.splitlines()]
    assert {tuple(event)[: len(HEAD)] for event in events} == {HEAD}
    assert {event["v"] for event in events} == {1}
    assert [event["n"] for event in events] == list(range(1, len(events) + 1))
    assert [e["n"] for e in events if e["event"] == "done"] == [len(events)]
    return events


def test_finished_run_ends_with_0_and_text_is_on_stderr(finished: TinyRecipe):
    outcome = finished.train("--events")

    events = stream(outcome.out)
    said = [(e["stage"], e["event"]) for e in events]
    assert said == [("plan", "base"), *((s, "skipped") for s in STAGES), (None, "done")]
    assert {e["run"] for e in events[1:]} == {finished.run.path.name}
    assert events[0]["ready"] is True and "plan: base model base\n" in outcome.err
    assert (outcome.code, events[-1]["exit"]) == (0, 0)
    assert events[-1]["seconds"] > 0
    assert "run: " in outcome.err and "exact-match" in outcome.err


@pytest.mark.parametrize(
    ("options", "code", "error"),
    [
        (["--json"], 2, "recipe"),
        (["--dry-run"], 2, "recipe"),
        (["--no-such-option"], 2, "recipe"),
        (["--until", "nowhere"], 2, "recipe"),
        (["--set", "train.rank=1"], 2, "recipe"),
        (["--set", "base_model=./nothing"], 3, "resource"),
    ],
)
def test_refusal_is_the_last_event(recipe: TinyRecipe, options, code: int, error: str):
    outcome = recipe.train("--events", *options)

    *before, last = stream(outcome.out)
    assert (outcome.code, last["exit"], last["error"]) == (code, code, error)
    assert last["problems"][0]["what"] in outcome.err
    assert all(event["event"] == "base" for event in before)


def test_stage_that_refuses_is_named_before_the_end(recipe: TinyRecipe):
    (recipe.folder / "rows.csv").write_text("問題,回答\n售價？,\n", encoding="utf-8")

    outcome = recipe.train("--events")

    *__, failed, last = stream(outcome.out)
    assert (failed["stage"], failed["event"], failed["error"]) == ("data", "failed", "data")
    assert (outcome.code, last["exit"], last["problems"]) == (1, 1, failed["problems"])


@pytest.mark.parametrize(
    ("fault", "code", "error"),
    [(ZeroDivisionError("x"), 70, "internal"), (KeyboardInterrupt(), 130, "interrupted")],
)
def test_crash_and_control_c_end_the_stream_too(
    recipe: TinyRecipe, monkeypatch: pytest.MonkeyPatch, tmp_path, fault, code: int, error: str
):
    def broken(way: walk.Walk) -> walk.Result:
        raise fault

    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path))
    monkeypatch.setitem(runners.RUNNERS, "data", broken)

    outcome = call(*recipe.arguments("--events"), may_crash=True)

    *__, failed, last = stream(outcome.out)
    assert (failed["stage"], failed["event"], failed["error"]) == ("data", "failed", error)
    assert (outcome.code, last["exit"]) == (code, code)


@pytest.mark.skipif(sys.platform == "win32", reason="sends a POSIX signal")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 75), (signal.SIGINT, 130)])
def test_signal_before_training_ends_the_stream_and_is_told(
    recipe: TinyRecipe, monkeypatch: pytest.MonkeyPatch, number: int, code: int
):
    def signalled(way: walk.Walk) -> walk.Result:
        signal.raise_signal(number)
        raise AssertionError("the signal was not heard")

    monkeypatch.setitem(runners.RUNNERS, "encode", signalled)
    usual = {signal.SIGTERM: signal.SIG_DFL, signal.SIGINT: signal.default_int_handler}[number]
    outer = signal.signal(number, usual)  # a shell lets what runs behind it ignore SIGINT

    outcome = recipe.train("--events")

    assert signal.signal(number, outer) == usual
    *__, failed, last = stream(outcome.out)
    assert (failed["stage"], failed["error"]) == ("encode", "interrupted")
    assert (outcome.code, last["exit"]) == (code, code)


def test_verb_without_a_stream_refuses_in_the_stream():
    outcome = call("doctor", "--events")

    (last,) = stream(outcome.out)
    assert (outcome.code, last["exit"]) == (2, 2)


def shell(recipe: TinyRecipe, tail: str) -> subprocess.CompletedProcess[str]:
    """Run the recipe's first stages in a shell with `tail` behind; the exit code is on stderr."""
    options = ["--until", "data", "--events"]
    line = " ".join([sys.executable, "-m", "foundry", *recipe.arguments(*options)])
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line} {tail}"],
        capture_output=True,
        text=True,
        timeout=240,
        cwd=ROOT,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


@pytest.mark.parametrize(
    "tail",
    [
        "| head -n 1 > /dev/null",
        "2>&1 >/dev/null | head -n 1 > /dev/null",
        ">&-",
        "2>&-",
        "> /dev/full",
    ],
)
def test_closed_or_full_output_does_not_stop_the_run(recipe: TinyRecipe, tail: str):
    done = shell(recipe, tail)

    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr
    assert recipe.run.is_done("data", recipe.run.stamp("data")["inputs"])
    if tail == "2>&-":
        stream(done.stdout)
