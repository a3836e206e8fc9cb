"""Killed at every point of every commit; the same command again gives what it would have (C65)."""

import ast
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from foundry.core import faults
from tests.faults import small

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kills with POSIX signals")
PRODUCT = Path(faults.__file__).parents[1]
KILLED = -signal.SIGKILL


def called() -> Iterator[str]:
    """The name of every call of `fault_point` in the product."""
    for path in PRODUCT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "fault_point":
                assert isinstance(node.args[0], ast.Constant), f"{path}: write the name out"
                yield node.args[0].value


def test_every_point_is_listed_and_every_listed_point_is_met():
    assert set(called()) == set(faults.POINTS)


def test_only_the_writer_renames_and_only_it_syncs():
    calls = ("os.replace", "os.rename", "os.fsync", "shutil.move")
    found = {
        path.relative_to(PRODUCT).as_posix()
        for path in PRODUCT.rglob("*.py")
        if any(f"{call}(" in path.read_text(encoding="utf-8") for call in calls)
    }

    assert found == {"core/atomic.py"}


@pytest.mark.parametrize("wanted", ["file-write", "file-write:2", "file-write:1:ENOSPC"])
def test_point_strikes_once_and_where_it_is_asked_to(wanted: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(faults, "_met", Counter())
    monkeypatch.setattr(faults.os, "kill", lambda *_: (_ for _ in ()).throw(OSError("killed")))
    struck = []

    for time in (1, 2, 3):
        try:
            faults.strike("file-done", wanted)
            faults.strike("file-write", wanted)
        except OSError as error:
            struck.append((time, error.args[-1]))

    end = "No space left on device" if wanted.endswith("ENOSPC") else "killed"
    assert struck == [(2 if ":2" in wanted else 1, end)]


@pytest.mark.slow
@pytest.mark.exhaustive
def test_killed_at_each_point_in_turn_the_run_ends_as_if_it_were_not(
    tiny_base: Path, tmp_path: Path
):
    """One run directory, one more kill at each attempt, later and later in the run."""
    straight = small.quick(tmp_path / "straight" / "tiny", tiny_base)
    passed = small.traced(straight, tmp_path / "trace", "--until", "train")
    recipe = small.quick(tmp_path / "struck" / "tiny", tiny_base)

    points = dict.fromkeys(passed)
    codes = {name: small.struck(recipe, name, "--until", "train") for name in points}
    small.again(recipe, "--until", "train")

    assert set(codes) == set(faults.POINTS)
    assert set(codes.values()) == {KILLED}
    assert small.made(recipe) == small.made(straight)
    leftovers = [path.name for path in recipe.run.path.rglob("*") if path.suffix == ".tmp"]
    assert leftovers == []
