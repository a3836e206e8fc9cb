"""Receive one file of the hub: go on where it broke off, and keep it only with the stated hash."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from foundry.core import atomic
from foundry.core.errors import Problem, ResourceError
from foundry.core.language import gettext as _


@dataclass(frozen=True)
class RemoteFile:
    """A file as the hub lists it; `digest` is SHA-256 for large files, else git's SHA-1."""

    name: str
    size: int
    digest: str

    @property
    def is_large(self) -> bool:
        """Whether it is kept apart from the repository (git LFS), as weights are."""
        return len(self.digest) == hashlib.sha256().digest_size * 2


def receive(url: str, file: RemoteFile, blob: Path, tell: Callable[[int], None]) -> int:
    """Download `url` to `blob`; the bytes that were received now.

    What has arrived is kept beside `blob` until it is whole, so the next process goes on from
    there. The client asks for the rest by a range, and begins again where a server ignores that.

    Args:
        url: Address of the file at the hub, which may send on to another host.
        file: What the hub states of it.
        blob: Its place in the hub's cache.
        tell: Called with the bytes that are there, after each write.

    Raises:
        ResourceError: It has another hash than the hub states; it is removed.
        OSError: The connection or the disk failed; what has arrived stays.
    """
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers

    part = part_of(blob)
    part.parent.mkdir(parents=True, exist_ok=True)
    if size_of(part) > file.size:
        part.unlink()
    before = size_of(part)
    with part.open("ab") as stream:
        http_get(
            url,
            _Told(stream, tell),
            resume_size=before,
            headers=build_hf_headers(library_name="ai-foundry"),
            expected_size=file.size,
            displayed_filename=file.name,
        )
    found = digest(part, file)
    if found != file.digest:
        part.unlink()
        raise ResourceError(other_hash(file, found))
    atomic.put_in_place(part, blob)
    return file.size - before


def part_of(blob: Path) -> Path:
    """Where a file waits that has not wholly arrived."""
    return blob.with_name(f"{blob.name}.foundry.incomplete")


def size_of(path: Path) -> int:
    """Bytes of a file; 0 where there is none."""
    return path.stat().st_size if path.exists() else 0


def digest(path: Path, file: RemoteFile) -> str:
    """SHA-256 of a large file; of another the name git gives it, SHA-1 over size and content."""
    if file.is_large:
        return atomic.sha256(path)
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def other_hash(file: RemoteFile, found: str) -> Problem:
    """The problem of a file that is not what the hub states."""
    what = _("its hash is {found}, the hub states {stated}; it was not kept")
    fix = _("fetch it again; if that repeats, do not use this source")
    return Problem(file.name, what.format(found=found, stated=file.digest), fix)


class _Told:
    """A file that tells how much of it is there after each write."""

    def __init__(self, stream: BinaryIO, tell: Callable[[int], None]) -> None:
        self.stream, self.listener = stream, tell

    def write(self, chunk: bytes) -> int:
        written = self.stream.write(chunk)
        self.listener(self.stream.tell())
        return written

    def tell(self) -> int:
        return self.stream.tell()

    def seek(self, offset: int) -> int:
        return self.stream.seek(offset)

    def truncate(self) -> int:
        return self.stream.truncate()
