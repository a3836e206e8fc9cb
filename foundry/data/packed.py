"""Unpack what is packed, up to a limit: a small file that grows without end is refused (C54)."""

import errno
import gzip
import lzma
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

from foundry.core.errors import DataError, Problem, ResourceError
from foundry.core.language import gettext as _
from foundry.data import limits

CHUNK_BYTES = 1 << 20
# What Python's libraries raise for bytes that are not as the format says.
DAMAGED = (
    *(tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, lzma.LZMAError),
    *(struct.error, EOFError, ValueError, NotImplementedError, RecursionError),
)


def is_damage(error: BaseException) -> bool:
    """Whether an error tells of what is packed, not of the disk; bz2 raises OSError for it too."""
    return isinstance(error, DAMAGED) or (isinstance(error, OSError) and error.errno is None)


def unpack(path: Path, folder: Path) -> Path:
    """Unpack the gzip file `path` into `folder`, under its name without `.gz`.

    Written straight, not through `atomic`: it is a scratch file that whoever made `folder` removes.

    Raises:
        DataError: It is broken or cut off, or grows over a limit; what was written may be there.
        ResourceError: The disk is full.
    """
    target = folder / (path.stem if path.suffix.lower() == ".gz" else path.name)
    done = 0
    try:
        with path.open("rb") as raw, gzip.GzipFile(fileobj=raw) as stream, target.open("wb") as out:
            while chunk := stream.read(CHUNK_BYTES):
                done += len(chunk)
                refuse_bomb(path, raw.tell(), done, limits.LIMITS.size_bytes)
                out.write(chunk)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        what = _("the gzip file is broken or cut off after {n} bytes of its content")
        fix = _("copy or download it again")
        raise DataError(Problem(str(path), what.format(n=done), fix)) from error
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        what = _("no space left to unpack it in {folder}").format(folder=folder.parent)
        fix = _("make space, or name another folder in the environment variable TMPDIR")
        raise ResourceError(Problem(str(path), what, fix)) from error
    return target


def check_document(path: Path, *, every_byte: bool = False) -> None:
    """Refuse a zip document whose members are more than a person could have written.

    The sizes are those the archive declares; `zipfile` gives no more bytes of a member than that
    and raises if its checksum then differs.

    Args:
        path: The document.
        every_byte: Read all members to see that they keep to their sizes, for a library that does
            not read them through `zipfile`.

    Raises:
        DataError: Over a limit, encrypted, or broken.
    """
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if any(member.flag_bits & 1 for member in members):
            what = _("the document is protected with a password")
            fix = _("open it with the password and save it without one")
            raise DataError(Problem(str(path), what, fix))
        expanded = sum(member.file_size for member in members)
        refuse_bomb(path, path.stat().st_size, expanded, limits.LIMITS.document_bytes)
        if every_byte and not _is_whole(archive):
            raise DataError(broken_zip(path))


def broken_zip(path: Path) -> Problem:
    """The problem of a file that begins as a zip file and cannot be read as one."""
    what = _("the file begins as a zip file (.zip, .xlsx, .docx) and is broken or cut off")
    return Problem(str(path), what, _("copy or download it again"))


def _is_whole(archive: zipfile.ZipFile) -> bool:
    try:
        return archive.testzip() is None
    except Exception as error:
        if not is_damage(error):
            raise
        return False


def refuse_bomb(path: Path, packed: int, expanded: int, most: int) -> None:
    """Refuse `path` if `packed` bytes of it become more than `most`, or far more than honest.

    Raises:
        DataError: Says the sizes and the limit.
    """
    if expanded > most:
        what = _("unpacked it has more than {most} bytes, the largest that is read")
        fix = _("divide it into several files")
        raise DataError(Problem(str(path), what.format(most=f"{most:,}"), fix))
    ratio = limits.LIMITS.ratio
    if expanded > limits.LIMITS.small_bytes and expanded > ratio * packed:
        what = _(
            "{packed} bytes unpack to more than {expanded}, over {ratio} times as many: "
            "this is no text that anyone wrote"
        )
        what = what.format(packed=f"{packed:,}", expanded=f"{expanded:,}", ratio=ratio)
        fix = _("if you trust it, unpack it yourself and name the unpacked file")
        raise DataError(Problem(str(path), what, fix))
