"""A checkpoint is whole or not there (C65)."""

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from foundry.core.errors import ResourceError
from foundry.train.checkpoint import MANIFEST, commit, fault_of, newest_whole

FILES = {
    "adapter_model.safetensors": b"weights" * 100,
    "trainer_state.json": b"{}",
    "nested/optimizer.pt": b"moments",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "checkpoints"


def write(folder: Path, step: int, *, keep: int = 2, extra: dict[str, bytes] | None = None) -> Path:
    """Commit a checkpoint of three files."""
    written = folder / ".work" / f"checkpoint-{step}"
    for name, content in {**FILES, **(extra or {})}.items():
        (written / name).parent.mkdir(parents=True, exist_ok=True)
        (written / name).write_bytes(content)
    return commit(written, folder, step, keep=keep)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("step-*"))


def test_committed_checkpoint_is_whole(folder: Path):
    path = write(folder, 40)

    assert path.name == "step-000040"
    assert fault_of(path) is None
    assert newest_whole(folder) == (path, [])
    assert {f: (path / f).read_bytes() for f in FILES} == FILES


def test_pickle_and_card_are_not_kept(folder: Path):  # C73
    path = write(folder, 1, extra={"training_args.bin": b"pickle", "README.md": b"card"})

    manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    assert sorted(manifest["files"]) == sorted(FILES)
    assert not (path / "training_args.bin").exists()
    assert not (path / "README.md").exists()


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "emptied": (lambda path: path.write_bytes(b""), "is damaged"),
    "truncated": (truncate, "is damaged"),
    "one bit flipped": (flip, "is damaged"),
    "missing": (Path.unlink, "is missing"),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(("damage", "reason"), DAMAGE.values(), ids=DAMAGE)
def test_damaged_checkpoint_is_passed_over_with_its_reason(
    folder: Path, name: str, damage: Callable[[Path], object], reason: str
):  # C65
    older, newer = write(folder, 1), write(folder, 2)

    damage(newer / name)

    assert newest_whole(folder) == (older, [f"step-000002: {name} {reason}"])


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"files": '])
def test_checkpoint_without_a_readable_manifest_is_passed_over(folder: Path, content: str):  # C65
    older, newer = write(folder, 1), write(folder, 2)

    (newer / MANIFEST).write_text(content, encoding="utf-8")

    assert newest_whole(folder) == (older, [f"step-000002: {MANIFEST} is missing or damaged"])


def test_nothing_whole_is_told_and_not_started_from_zero(folder: Path):  # C65
    for step in (1, 2):
        (write(folder, step) / "trainer_state.json").unlink()

    with pytest.raises(ResourceError, match="no checkpoint is whole") as error:
        newest_whole(folder)

    assert "step-000001: trainer_state.json is missing" in str(error.value)
    assert "step-000002: trainer_state.json is missing" in str(error.value)
    assert names(folder) == ["step-000001", "step-000002"]


def test_no_checkpoint_at_all_means_from_the_start(folder: Path):
    assert newest_whole(folder) == (None, [])


def test_half_written_folder_is_no_checkpoint(folder: Path):  # C65
    older = write(folder, 1)
    (folder / ".work" / "checkpoint-2").mkdir(parents=True)

    assert newest_whole(folder) == (older, [])


def test_only_the_newest_are_kept(folder: Path):  # C68
    kept = []
    for step in (5, 10, 15, 20):
        write(folder, step, keep=2)
        kept.append(names(folder))

    assert kept[-1] == ["step-000015", "step-000020"]
    assert max(len(some) for some in kept) == 2


def test_older_checkpoint_stays_until_the_new_one_is_in_place(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):  # C65, C68
    older = write(folder, 1, keep=1)

    def full(source: Path, target: Path, rename: Callable[..., None] = os.replace) -> None:
        if Path(target).name == "step-000002":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        rename(source, target)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        write(folder, 2, keep=1)

    assert newest_whole(folder) == (older, [])


def test_step_that_was_saved_before_is_replaced(folder: Path):  # C65
    write(folder, 3, extra={"trainer_state.json": b"old"})

    path = write(folder, 3, extra={"trainer_state.json": b"new"})

    assert (path / "trainer_state.json").read_bytes() == b"new"
    assert fault_of(path) is None


def test_damaged_checkpoint_of_a_later_step_goes_when_the_run_went_on_from_before(folder: Path):
    write(folder, 10)
    flip(write(folder, 20) / "trainer_state.json")

    path = write(folder, 12, keep=1)

    assert newest_whole(folder) == (path, [])
    assert names(folder) == ["step-000012"]
