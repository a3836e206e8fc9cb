"""Who computes for long does so with jemalloc where it is there, and hands it to no child."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from foundry.core import allocator

NEEDED = pytest.mark.skipif(allocator.library() is None, reason="jemalloc is not installed")


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of libraries with one in it."""
    path = tmp_path / allocator.NAME
    path.touch()
    monkeypatch.setattr(allocator, "FOLDERS", (str(tmp_path),))
    monkeypatch.setattr(sys, "platform", "linux")
    return path


def test_environment_names_the_library_and_keeps_the_rest(installed: Path):
    assert allocator.environment({"HOME": "/root"}) == {
        "HOME": "/root",
        "LD_PRELOAD": str(installed),
        "MALLOC_CONF": allocator.OPTIONS,
        allocator.MARK: "1",
    }


def test_library_that_does_not_load_is_not_tried_again():
    """The dynamic linker says so and goes on; the process has been started anew all the same."""
    given = {"PATH": "/bin", "LD_PRELOAD": "/no/such.so", allocator.MARK: "1"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, env=given, timeout=60
    )

    assert done.stdout.split(maxsplit=1)[1] == "system []\n"


def test_who_asks_for_jemalloc_has_it(installed: Path):
    assert allocator.environment({"FOUNDRY_ALLOCATOR": "jemalloc"})["LD_PRELOAD"] == str(installed)


@pytest.mark.parametrize(
    "given", [{"FOUNDRY_ALLOCATOR": "system"}, {"LD_PRELOAD": "/x.so"}, {"MALLOC_CONF": "x:1"}]
)
def test_who_has_chosen_keeps_what_he_chose(installed: Path, given: dict[str, str]):
    assert allocator.environment(given) == given


def test_elsewhere_and_without_it_nothing_is_set(installed: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert allocator.environment({}) == {}
    monkeypatch.setattr(sys, "platform", "linux")
    installed.unlink()
    assert allocator.environment({}) == {}


PROGRAM = """
import os, sys
from foundry.core import allocator
allocator.start_anew(sys.orig_argv[1:])
print(os.getpid(), allocator.used(), [n for n in allocator.SETTINGS if n in os.environ])
"""


@NEEDED
def test_process_starts_itself_anew_once_and_leaves_its_children_theirs():
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True, env={"PATH": "/bin"}
    )
    said, _nothing = child.communicate(timeout=60)

    assert said == f"{child.pid} jemalloc []\n"


def test_process_that_cannot_start_anew_goes_on(installed: Path, monkeypatch: pytest.MonkeyPatch):
    for name in (*allocator.SETTINGS, allocator.CHOICE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "executable", str(installed))  # no program

    allocator.start_anew(["train"])


FREED = """
import psutil
from foundry.core import allocator

blocks = [bytes(1000) for _ in range(100_000)]
last = blocks[-1]  # at the end of the heap, which glibc does not shorten then
del blocks
before = psutil.Process().memory_info().rss
allocator.give_back()
print(before - psutil.Process().memory_info().rss)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc alone keeps it")
def test_what_was_freed_goes_back_to_the_system():
    done = subprocess.run(
        [sys.executable, "-c", FREED], capture_output=True, text=True, check=True, timeout=60
    )

    assert int(done.stdout) > 80_000_000
