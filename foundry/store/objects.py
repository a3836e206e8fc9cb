"""Files by what is in them: `objects/sha256/ab/cdef...`, each once, each whole or not there."""

import hashlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from foundry.core import atomic
from foundry.core.errors import DataError, Problem
from foundry.core.language import gettext as _

UNFINISHED = "unfinished"
HEX_DIGITS = 64


@dataclass(frozen=True)
class Objects:
    """A folder of files that are named by their SHA-256; several processes may write to it."""

    folder: Path

    def path(self, digest: str) -> Path:
        """Where the file with this hash is, or would be."""
        return self.folder / "sha256" / digest[:2] / digest[2:]

    def has(self, digest: str) -> bool:
        """Whether a file of this name is there; its content is not read."""
        return self.path(digest).is_file()

    def is_intact(self, digest: str) -> bool:
        """Whether the file is there and still has its hash."""
        return self.has(digest) and atomic.sha256(self.path(digest)) == digest

    def put(self, source: Path, digest: str) -> None:
        """Copy a file in; one that is there and intact stays, a damaged one is replaced.

        Raises:
            DataError: `source` has another hash.
        """
        if self.is_intact(digest):
            return
        # Process ids repeat from host to host, so names of unfinished files are random.
        part = self.folder / UNFINISHED / uuid.uuid4().hex
        part.parent.mkdir(parents=True, exist_ok=True)
        try:
            if _copied(source, part) != digest:
                what = _("the file changed while it was copied")
                raise DataError(Problem(source.name, what, _("leave it alone and try again")))
            target = self.path(digest)
            if not target.parent.is_dir():
                target.parent.mkdir(parents=True, exist_ok=True)
                atomic.sync(target.parent.parent)
            atomic.put_in_place(part, target)
        finally:
            part.unlink(missing_ok=True)

    def get(self, digest: str, target: Path) -> None:
        """Copy a file out.

        Raises:
            DataError: It is missing or damaged.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        if not self.has(digest) or _copied(self.path(digest), target) != digest:
            what = _("missing or damaged in the registry ({digest})").format(digest=digest)
            fix = _("publish the same package again, which mends it")
            raise DataError(Problem(target.name, what, fix))

    def all(self) -> Iterator[str]:
        """The hashes of all files, by their names."""
        for path in sorted(self.folder.glob("sha256/??/*")):
            digest = path.parent.name + path.name
            if len(digest) == HEX_DIGITS:
                yield digest

    def remove(self, digest: str) -> None:
        """Remove a file."""
        self.path(digest).unlink(missing_ok=True)


def _copied(source: Path, target: Path) -> str:
    """Copy a file and give the hash of what was copied."""
    digest = hashlib.sha256()
    with source.open("rb") as read, target.open("wb") as written:
        while chunk := read.read(atomic.CHUNK_BYTES):
            digest.update(chunk)
            written.write(chunk)
    return digest.hexdigest()
