"""What the system refuses of a path is told as a lack; what may be our fault is not."""

import os
from pathlib import Path

import pytest

from foundry.core import atomic, shortage
from foundry.core.shortage import refused_path
from tests.cases import case, change


def said(work) -> str | None:
    """What a person is told of the error that `work` raises; None where it is kept for us."""
    with pytest.raises(OSError) as caught:
        work()
    refused = refused_path(caught.value)
    return None if refused is None else str(refused).splitlines()[0]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_text("kept", encoding="utf-8")
    return path


def test_file_in_the_place_of_a_folder_is_named(file: Path):
    wanted = f"{file}: a file; a folder is needed there"

    assert said(lambda: atomic.write_text(file / "a", "")) == wanted
    assert said(lambda: atomic.write_text(file / "a" / "b", "")) == wanted


def test_folder_in_the_place_of_a_file_is_named(tmp_path: Path):
    wanted = f"{tmp_path}: a folder; a file is needed there"

    assert said(lambda: atomic.write_text(tmp_path, "")) == wanted


def test_name_that_is_too_long_is_named(tmp_path: Path):
    path = tmp_path / ("a" * 300)

    assert said(path.touch) == f"{path}: cannot be used (File name too long)"


def test_full_disk_without_a_path_is_told():
    def write() -> None:
        with open("/dev/full", "w", encoding="utf-8", buffering=1) as stream:
            stream.write("a\n")
            stream.close()

    assert said(write) == "cannot be written (No space left on device)"


def test_what_may_be_our_fault_is_not_told_as_the_users(tmp_path: Path, file: Path):
    assert said(tmp_path.mkdir) is None  # the folder that we want is there
    assert said((tmp_path / "none").read_bytes) is None
    assert said(lambda: os.close(10**6)) is None


@case("atomic", {"everything is replaced": change(atomic, "_refuse_special", lambda path: None)})
def test_pipe_is_not_replaced_by_a_file(tmp_path: Path):
    path = tmp_path / "pipe"
    os.mkfifo(path)

    with pytest.raises(OSError, match="not a regular file"):
        atomic.write_text(path, "")

    assert path.is_fifo()


@pytest.mark.parametrize(
    ("said", "is_memory"),
    [
        ("could not create a primitive", True),
        ("could not create a primitive descriptor for a matmul primitive", False),
        ("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory", True),
        ("mat1 and mat2 shapes cannot be multiplied", False),
    ],
)
def test_too_little_memory_is_known_by_the_words_of_the_libraries(said: str, is_memory: bool):
    assert shortage.is_out_of_memory(RuntimeError(said)) is is_memory
    assert not shortage.is_out_of_memory(ValueError(said))
