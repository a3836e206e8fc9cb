"""Unpack an archive of data files so that nothing lands outside its folder (cases.md C77).

Python's zipfile takes `..` and a leading `/` out of a name by itself, and its tarfile does so with
a leading `/`: the file then lands where its name does not say. Here such a name refuses the
archive, as does everything that is neither a plain file nor a folder. What was unpacked before a
refusal is removed.
"""

import gzip
import io
import shutil
import stat
import struct
import tarfile
import unicodedata
import zipfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Literal

from foundry.core import atomic
from foundry.core.errors import DataError, Problem
from foundry.core.language import gettext as _
from foundry.data import limits
from foundry.data.packed import is_damage

ZIP_SUFFIXES, TAR_SUFFIXES = (".zip",), (".tar", ".tar.gz", ".tgz")
LONGEST_PART, LONGEST_NAME = 255, 1024  # bytes; what file systems take, and shorter than PATH_MAX
LONGEST_READ = 1 << 20  # bytes; a header of a tar archive is read whole, a file in such pieces
DIRECTORY_BYTES = 256  # of a zip archive for each member: 46 and its name
END_RECORDS = 76 + 22 + 0xFFFF  # bytes at the end of a zip archive: 64-bit records, record, comment


def is_archive(path: Path) -> bool:
    """Whether the name is that of an archive we unpack."""
    return path.name.lower().endswith(ZIP_SUFFIXES + TAR_SUFFIXES)


def unpack(archive: Path, into: Path) -> None:
    """Unpack `archive` into the folder `into`, which is made; nothing of it stays on an error.

    Raises:
        DataError: The archive is damaged, or a member is refused; names the member.
    """
    into.mkdir(parents=True)
    try:
        gate = _Gate(archive, limits.LIMITS)
        if archive.name.lower().endswith(ZIP_SUFFIXES):
            _unpack_zip(archive, into, gate)
        else:
            _unpack_tar(archive, into, gate)
    except BaseException as error:
        atomic.remove(into)
        if not is_damage(error):
            raise
        what = _("the archive is damaged, or not what its name says")
        raise _damaged(archive, what) from error


def _damaged(archive: Path, what: str) -> DataError:
    fix = _("copy or download it again, or unpack it yourself and give the folder as `path`")
    return DataError(Problem(str(archive), what, fix))


@dataclass(frozen=True)
class _Member:
    """What a member says of itself; `name` as the archive has it, `size` in bytes unpacked."""

    name: str
    kind: Literal["file", "folder", "link", "device", "encrypted"]
    size: int


@dataclass
class _Gate:
    """Lets members pass one after the other, or refuses the archive because of one."""

    archive: Path
    limits: limits.Limits
    members: int = 0
    size_bytes: int = 0
    taken: dict[str, tuple[str, bool]] = field(default_factory=lambda: {".": (".", True)})
    """Path as a file system without capitals sees it -> path as written, whether a folder."""

    def admit(self, member: _Member) -> PurePosixPath:
        """Where in the folder the member may lie."""
        self.members += 1
        self.size_bytes += member.size
        fault = _kind_fault(member.kind) or _name_fault(member.name) or self._over()
        place = PurePosixPath(member.name)
        fault = fault or self._taken(place, is_folder=member.kind == "folder")
        if fault:
            self.refuse(member.name, fault)
        return place

    def refuse(self, member: str, reason: str) -> None:
        """Raise what is wrong with `member`."""
        what = _("the member `{member}` refuses the archive: {reason}")
        fix = _("unpack it yourself, look at what is in it, and give the folder as `path`")
        shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in member)
        raise DataError(Problem(str(self.archive), what.format(member=shown, reason=reason), fix))

    def too_many(self) -> str:
        """What is said when there are more members than allowed."""
        return _("there are more than {most} members").format(most=self.limits.members)

    def _over(self) -> str:
        limits = self.limits
        if self.members > limits.members:
            return self.too_many()
        if self.size_bytes > limits.size_bytes:
            what = _("with it the archive unpacks to more than {size} bytes")
            return what.format(size=limits.size_bytes)
        allowed = max(limits.small_bytes, limits.ratio * self.archive.stat().st_size)
        if self.size_bytes > allowed:
            what = _("with it the archive unpacks to more than {ratio} times its size")
            return what.format(ratio=limits.ratio)
        return ""

    def _taken(self, place: PurePosixPath, *, is_folder: bool) -> str:
        for path in (*reversed(place.parents), place):
            written, folder = str(path), path != place or is_folder
            key = unicodedata.normalize("NFC", written).casefold()
            other, other_is_folder = self.taken.get(key, (written, folder))
            if other != written:
                what = _("its name differs from `{other}` in capitals alone")
                return what.format(other=other)
            if key in self.taken and not (folder and other_is_folder):
                return _("its name is used twice")
            self.taken[key] = written, folder
        return ""


def _kind_fault(kind: str) -> str:
    """Why no member may be of this kind; empty if it may."""
    if kind == "link":
        return _("it is a link")
    if kind == "device":
        return _("it is neither a file nor a folder")
    return _("it is encrypted") if kind == "encrypted" else ""


def _name_fault(name: str) -> str:
    """Why no file may have this name, on any system; empty if it may."""
    parts = name.split("/")
    if name.startswith("/"):
        return _("its name is absolute")
    if "\\" in name or name[1:2] == ":":
        return _("its name is a path of Windows")
    if ".." in parts:
        return _("its name leads out of the folder")
    longest = max(len(part.encode()) for part in parts)
    if "\0" in name or not name or len(name.encode()) > LONGEST_NAME or longest > LONGEST_PART:
        return _("its name is empty, too long, or holds a NUL character")
    return ""


def _spelled(raw: bytes) -> str:
    """A name that the archive does not mark as UTF-8; Windows in Taiwan writes cp950."""
    for encoding in ("utf-8", "cp950"):
        with suppress(UnicodeDecodeError):
            return raw.decode(encoding)
    return raw.decode("cp437")  # knows every byte; APPNOTE.TXT D.1


def _unpack_zip(archive: Path, into: Path, gate: _Gate) -> None:
    """Every member is admitted before one is written: the directory gives their sizes.

    A size that is too small in the directory does no harm: zipfile stops there, and the checksum
    of the member is wrong.
    """
    if _directory_bytes(archive) > DIRECTORY_BYTES * gate.limits.members:
        gate.refuse("…", gate.too_many())
    with zipfile.ZipFile(archive) as opened:
        infos = opened.infolist()
        places = [gate.admit(_zip_member(info)) for info in infos]
        for info, place in zip(infos, places, strict=True):
            if info.is_dir():
                into.joinpath(place).mkdir(parents=True, exist_ok=True)
                continue
            with opened.open(info) as content:
                _write(content, into / place)


def _zip_member(info: zipfile.ZipInfo) -> _Member:
    marked = info.flag_bits & 0x800  # APPNOTE.TXT 4.4.4: the name is UTF-8
    name = info.orig_filename if marked else _spelled(info.orig_filename.encode("cp437"))
    mode = info.external_attr >> 16  # that of Unix; 0 where another system packed
    if info.flag_bits & 0x1:
        return _Member(name, "encrypted", info.file_size)
    if stat.S_ISLNK(mode):
        return _Member(name, "link", info.file_size)
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        return _Member(name, "device", info.file_size)
    return _Member(name, "folder" if info.is_dir() else "file", info.file_size)


def _directory_bytes(archive: Path) -> int:
    """How long a zip archive says its directory is; zipfile reads all of it: 0.5 GB for a million.

    Source: APPNOTE.TXT 4.3.14 and 4.3.16. The 64-bit record is where zipfile looks for it, 76
    bytes before the last one.
    """
    with archive.open("rb") as stream:
        stream.seek(max(0, archive.stat().st_size - END_RECORDS))
        tail = stream.read()
    end = tail.rfind(b"PK\5\6")
    if end < 0 or len(tail) < end + 22:
        return 0
    sizes = struct.unpack_from("<I", tail, end + 12)
    if end >= 76 and tail[end - 20 :].startswith(b"PK\6\7"):
        sizes += struct.unpack_from("<Q", tail, end - 76 + 40)
    return max(size for size in sizes if size != 0xFFFFFFFF or len(sizes) == 1)


def _unpack_tar(archive: Path, into: Path, gate: _Gate) -> None:
    """Member by member, since a tar archive has no directory."""
    packed = not archive.name.lower().endswith(".tar")
    with (
        gzip.open(archive) if packed else archive.open("rb") as raw,
        _Reader(raw, archive) as stream,
        tarfile.open(fileobj=stream, mode="r:") as opened,
    ):
        for info in opened:
            place = into / gate.admit(_tar_member(info))
            tarfile.data_filter(info, str(into))  # Python's own opinion, in addition
            content = opened.extractfile(info) if info.isreg() else None
            if content is None:
                place.mkdir(parents=True, exist_ok=True)
                continue
            with content:
                _write(content, place)


class _Reader(io.BufferedReader):
    """A tar archive's bytes; tarfile would read a header of any length whole."""

    def __init__(self, raw: IO[bytes], archive: Path) -> None:
        super().__init__(raw)  # type: ignore[arg-type]
        self._archive = archive

    def read(self, size: int | None = -1, /) -> bytes:
        """At most `LONGEST_READ` bytes."""
        if size is None or not 0 <= size <= LONGEST_READ:
            what = _("the archive is damaged: it says that it has a header of {size} bytes")
            raise _damaged(self._archive, what.format(size=size))
        return super().read(size)


def _tar_member(info: tarfile.TarInfo) -> _Member:
    name = _spelled(info.name.encode("utf-8", "surrogateescape"))
    if info.issym() or info.islnk():
        return _Member(name, "link", info.size)
    if not info.isreg() and not info.isdir():
        return _Member(name, "device", info.size)
    return _Member(name, "folder" if info.isdir() else "file", info.size)


def _write(content: IO[bytes], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as stream:
        shutil.copyfileobj(content, stream, LONGEST_READ)
