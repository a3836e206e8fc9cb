"""Checkpoints that are whole or not there: hashed, then renamed into place (C65).

`checkpoints/step-000040/` holds what the Trainer wrote and `checkpoint.json` with the SHA-256 of
each file, written last. Resume takes the newest whose files all have their hash, and reads none
that would run code (C73): hashes say nothing about a checkpoint that somebody else made.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from foundry.core import atomic
from foundry.core.errors import FoundryError, Problem, ResourceError
from foundry.core.faults import fault_point
from foundry.core.language import gettext as _
from foundry.core.shortage import disk_full, disk_says, free_bytes
from foundry.core.sizes import readable
from foundry.models.folder import check_folder, check_torch
from foundry.models.quiet import quiet
from foundry.train.adapter_files import has_update

MANIFEST, WORK = "checkpoint.json", ".work"
FLOAT32_BYTES = 4
# Without any of these the Trainer goes on without a word, to other numbers (ecosystem.md 0.3).
NEEDED = ("optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json")
# Of a model in parts (`sharding.py`).
NEEDED_IN_PARTS = ("shards", "scheduler.json", "rng_state.pth", "trainer_state.json")
# What AdamW keeps of a trained number.
MOMENTS = 2
# Pickled TrainingArguments and a template card; neither is ever read back.
UNWANTED = ("training_args.bin", "README.md")
# What the Trainer writes with `torch.save` and reads with `weights_only=True`.
TENSOR_STATE = re.compile(r"(optimizer|scheduler|scaler)\.pt|rng_state(_\d+)?\.pth")


def commit(written: Path, folder: Path, step: int, *, keep: int, best: int | None = None) -> Path:
    """Make the Trainer's folder `written` the checkpoint of `step`; then drop the oldest.

    Args:
        written: A complete checkpoint folder on the same file system.
        folder: `checkpoints/` of the run.
        step: Optimizer steps done.
        keep: How many of the newest stay; older ones go only after this one is in place.
        best: The step of one that stays besides.
    """
    fault_point("checkpoint-hashes")
    for name in UNWANTED:
        (written / name).unlink(missing_ok=True)
    files = sorted(path for path in written.rglob("*") if path.is_file())
    hashes = {path.relative_to(written).as_posix(): atomic.sha256(path) for path in files}
    for path in files:
        atomic.sync(path)
    atomic.write_json(written / MANIFEST, {"step": step, "files": hashes})
    fault_point("checkpoint-rename")
    target = place_of(folder, step)
    atomic.remove(target)
    atomic.put_in_place(written, target)
    fault_point("checkpoint-drop")
    for later in committed(folder):
        if later > target:  # damaged: the run went on from before it
            atomic.remove(later)
    drop_old(folder, keep=keep, best=best)
    return target


def drop_old(folder: Path, *, keep: int, best: int | None = None) -> None:
    """Remove all checkpoints but the newest `keep` and that of the step `best`."""
    for old in committed(folder)[:-keep]:
        if best is None or old != place_of(folder, best):
            atomic.remove(old)


def check_complete(written: Path) -> None:
    """Refuse to commit what the Trainer left out; that would be a fault of the program."""
    needed = NEEDED_IN_PARTS if (written / NEEDED_IN_PARTS[0]).is_dir() else NEEDED
    lacking = [name for name in needed if not (written / name).exists()]
    if lacking:
        raise RuntimeError(f"the Trainer wrote no {', '.join(lacking)}")


def place_of(folder: Path, step: int) -> Path:
    """Where the checkpoint of a step lies."""
    return folder / f"step-{step:06d}"


def size_bytes(model: Any) -> int:
    """What one checkpoint of a model takes; the tokenizer and the lists of rows come on top.

    Where the model's own weights train, those that do not are in it too.
    """
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    every = sum(p.numel() for p in model.parameters())
    return FLOAT32_BYTES * ((trained if has_update(model) else every) + MOMENTS * trained)


def check_room(folder: Path, needed_bytes: int, *, keep: int) -> None:
    """Refuse to begin where `keep` checkpoints cannot be held, and one more while it is saved.

    Raises:
        ResourceError: Names the folder, what is needed and what is free (C68).
    """
    more = max(1, keep + 1 - len(committed(folder)))
    free = free_bytes(folder)
    if needed_bytes * more > free:
        what = _("{count} checkpoints need {needed}; {free} are free")
        needed = readable(needed_bytes * more)
        raise ResourceError(
            Problem(
                str(folder),
                what.format(count=more, needed=needed, free=readable(free)),
                _("make space on the disk, or choose another folder with `--runs`"),
            )
        )


@contextmanager
def whole_or_not(folder: Path, needed_bytes: int) -> Iterator[None]:
    """What is written in the block is a checkpoint or nothing, also where the disk is full.

    Raises:
        ResourceError: Names the folder, what is needed and what is free (C68).
    """
    try:
        yield
    except FoundryError:
        raise
    except Exception as error:  # each library that writes raises its own
        why = disk_says(error)
        if why is None:
            raise
        atomic.remove(folder / WORK)
        raise disk_full(folder, why, needed_bytes) from error


def committed(folder: Path) -> list[Path]:
    """The checkpoints in order of their steps, whole or not."""
    return sorted(folder.glob("step-*")) if folder.is_dir() else []


def newest_whole(folder: Path) -> tuple[Path | None, list[str]]:
    """The checkpoint to resume from, and why newer ones were passed over.

    Raises:
        ResourceError: There are checkpoints and none is whole; nothing is started from zero
            without being asked to.
    """
    reasons = []
    for path in reversed(committed(folder)):
        fault = fault_of(path)
        if fault is None:
            return path, reasons
        reasons.append(f"{path.name}: {fault}")
    if reasons:
        what = _("no checkpoint is whole ({reasons})").format(reasons="; ".join(reasons))
        fix = _("remove the folder to train from the start")
        raise ResourceError(Problem(str(folder), what, fix))
    return None, []


def fault_of(path: Path) -> str | None:
    """What is wrong with a checkpoint, or None when every file has its hash."""
    try:
        files = json.loads((path / MANIFEST).read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return _("{file} is missing or damaged").format(file=MANIFEST)
    for name, digest in files.items():
        file = path / name
        if not file.is_file():
            return _("{file} is missing").format(file=name)
        if atomic.sha256(file) != digest:
            return _("{file} is damaged").format(file=name)
    return None


def check_code(path: Path) -> None:
    """Refuse a checkpoint that asks for more than tensors and plain values, before it is read.

    Raises:
        ResourceError: Names each file, and the functions that it would call.
    """
    check_torch()
    states = [file for file in sorted(path.iterdir()) if TENSOR_STATE.fullmatch(file.name)]
    check_folder(path, besides={file.name for file in states})
    found = {file: _beyond_tensors(file) for file in states}
    fix = _("remove the folder {folder} if you did not make it yourself").format(folder=path)
    problems = [Problem(str(file), what, fix) for file, what in found.items() if what]
    if problems:
        raise ResourceError(problems)


def _beyond_tensors(file: Path) -> str | None:
    """What a file of `torch.save` asks for besides tensors and plain values; None where nothing."""
    with quiet():
        from torch.serialization import get_unsafe_globals_in_checkpoint
        from transformers.trainer_pt_utils import safe_globals

        try:
            with safe_globals():
                wanted = get_unsafe_globals_in_checkpoint(file)
        except (ValueError, RuntimeError, LookupError, EOFError):
            return _("not a file that torch.save wrote; it was not opened")
    if not wanted:
        return None
    what = _("would call {wanted} while it is read; it was not opened")
    return what.format(wanted=", ".join(sorted(wanted)))
