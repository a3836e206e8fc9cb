"""The only writer of files: temporary file, fsync, rename; a reader never sees half a file."""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from foundry.core.faults import fault_point

CHUNK_BYTES = 1 << 20
CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; on success it is synced and takes its place.

    On any exception the temporary file is removed and `path` is left as it was.

    Raises:
        OSError: `path` is a folder; or a device such as /dev/null, which would be gone.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _refuse_special(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    fault_point("file-write")
    try:
        yield temporary
        sync(temporary)
        fault_point("file-rename")
        os.replace(temporary, path)
        fault_point("file-done")
        sync(path.parent)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def _refuse_special(path: Path) -> None:
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if path.exists() and not path.is_file():
        raise OSError(errno.ENODEV, "not a regular file", str(path))


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Give an empty temporary folder beside `path`; on success it takes its place whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    remove(temporary)
    temporary.mkdir()
    fault_point("folder-write")
    try:
        yield temporary
        for file in sorted(p for p in temporary.rglob("*") if p.is_file()):
            sync(file)
        remove(path)
        fault_point("folder-rename")
        os.replace(temporary, path)
        fault_point("folder-done")
        sync(path.parent)
    finally:
        remove(temporary)


@contextmanager
def temporary_folder(path: Path) -> Iterator[Path]:
    """Give the empty folder `path`, which is gone when the block ends, however it ends."""
    remove(path)
    path.mkdir(parents=True)
    try:
        yield path
    finally:
        remove(path)


def remove_unfinished(folder: Path) -> None:
    """Remove what killed processes left half written anywhere below `folder`, which is ours."""
    for path in list(folder.rglob(".*.tmp")):
        remove(path)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text with LF line ends."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` so that it is there whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_new(path: Path, content: bytes, mode: int) -> None:
    """Write a file that must not be there yet, with its permissions from the first byte on.

    Raises:
        FileExistsError: There is one, or a link of this name.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with open(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        sync(path.parent)
    except BaseException:
        path.unlink()
        raise


def write_json(path: Path, value: Any) -> None:
    """Write strict JSON (no NaN), readable, keys in the given order."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n")


def copy(source: Path, target: Path) -> None:
    """Copy a file. Never a hard link: damage to the copy must not reach the original."""
    with replacing(target) as temporary:
        shutil.copyfile(source, temporary)


def add_line(path: Path, line: str, *, durable: bool = False) -> None:
    """Add a line of UTF-8 text to a file in one write, so that two processes mix no lines.

    A last line that a power cut tore off is ended first; it stays, and is for the reader to skip.

    Args:
        path: The file; made where it is not there.
        line: Text without a line end.
        durable: Wait until it is on the disk.
    """
    fault_point("log-write")
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        size = os.lseek(descriptor, 0, os.SEEK_END)
        os.lseek(descriptor, max(0, size - 1), os.SEEK_SET)
        torn = size > 0 and os.read(descriptor, 1) != b"\n"
        content = (("\n" if torn else "") + line + "\n").encode("utf-8")
        while content:  # a full disk may take a part of it; the next try says so
            content = content[os.write(descriptor, content) :]
        if durable:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def put_in_place(part: Path, path: Path) -> None:
    """Make a file that was written bit by bit, and is whole now, the file `path`."""
    sync(part)
    fault_point("part-rename")
    os.replace(part, path)
    sync(path.parent)


def append_line(path: Path, line: str) -> None:
    """Add a line to a file of one process and flush it to disk; a torn last line is removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = f"{line}\n".encode()
    fault_point("line-write")
    with path.open("a+b") as stream:
        stream.truncate(whole_lines(path))
        half = len(content) // 2
        stream.write(content[:half])
        stream.flush()
        fault_point("line-half")
        stream.write(content[half:])
        stream.flush()
        os.fsync(stream.fileno())


def whole_lines(path: Path) -> int:
    """Bytes of a file up to the end of its last whole line; 0 where there is no file."""
    if not path.exists():
        return 0
    with path.open("rb") as stream:
        end = stream.seek(0, os.SEEK_END)
        while end > 0:
            begin = max(0, end - CHUNK_BYTES)
            stream.seek(begin)
            found = stream.read(end - begin).rfind(b"\n")
            if found >= 0:
                return begin + found + 1
            end = begin
    return 0


def sha256(path: Path) -> str:
    """Hex SHA-256 of a file's bytes, read in chunks of 1 MiB."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def fingerprint(value: Any) -> str:
    """Hex SHA-256 of a JSON value in canonical form (sorted keys, no spaces)."""
    return hashlib.sha256(CANONICAL.encode(value).encode("utf-8")).hexdigest()


def sync(path: Path) -> None:
    """Flush a file or folder to disk; folders cannot be opened on Windows and are skipped."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except PermissionError:
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove(path: Path) -> None:
    """Remove a file or folder if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
