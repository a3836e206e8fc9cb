"""Archives made byte by byte: what no packing program would write, and sizes no disk would hold."""

import gzip
import io
import stat
import struct
import tarfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

GIB, PIECE = 1 << 30, bytes(1 << 24)

Write = Callable[[Path], Path]
Entry = tuple[str, bytes | str]  # a name with its content, or with what it links to


UTF8_NAME, ENCRYPTED = 0x800, 0x1  # flags, APPNOTE.TXT 4.4.4


def zip_of(
    *entries: Entry, mode: int = 0, flags: int = UTF8_NAME, encoding: str = "utf-8"
) -> Write:
    """A zip archive of entries that all have this Unix mode, flags and encoding of the name."""

    def write(folder: Path) -> Path:
        members = []
        for name, content in entries:
            plain = content.encode() if isinstance(content, str) else content
            packed = zlib.compress(plain, wbits=-15)
            members.append(_Packed(name.encode(encoding), packed, len(plain), zlib.crc32(plain)))
        path = folder / "a.zip"
        path.write_bytes(_zip_bytes(members, mode, flags))
        return path

    return write


def tar_of(*entries: Entry, kind: bytes = tarfile.REGTYPE, suffix: str = ".tar.gz") -> Write:
    """A tar archive of entries of one kind."""

    def write(folder: Path) -> Path:
        path = folder / f"a{suffix}"
        with tarfile.open(path, "w:gz" if suffix.endswith("gz") else "w") as archive:
            for name, content in entries:
                info = tarfile.TarInfo(name)
                info.type = kind
                if isinstance(content, str):
                    info.linkname = content
                info.size = len(content) if kind == tarfile.REGTYPE else 0
                archive.addfile(info, io.BytesIO(content if isinstance(content, bytes) else b""))
        return path

    return write


def linked(target: str) -> Write:
    """A zip archive with a good file and a symbolic link, which is a file that holds its target."""
    return zip_of(("good.csv", b"x"), ("link.csv", target), mode=stat.S_IFLNK | 0o777)


def zeros_in_zip(folder: Path) -> Path:
    """Ten members of 1 GiB of zeros each; 10 MB on disk. Their checksums are wrong."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    piece = packer.compress(PIECE) + packer.flush(zlib.Z_FULL_FLUSH)  # stands for itself
    packed = piece * (GIB // len(PIECE)) + b"\x03\x00"  # RFC 1951: an empty last block
    path = folder / "a.zip"
    members = [_Packed(b"%d.csv" % n, packed, GIB) for n in range(10)]
    path.write_bytes(_zip_bytes(members))
    return path


def zeros_in_tar(folder: Path) -> Path:
    """One member of 10 GiB of zeros; 10 MB on disk."""
    info = tarfile.TarInfo("zeros.csv")
    info.size = 10 * GIB
    path = folder / "a.tar.gz"
    pieces = gzip.compress(PIECE) * (info.size // len(PIECE))  # RFC 1952: several members are one
    path.write_bytes(gzip.compress(_good() + info.tobuf()) + pieces)
    return path


def million_in_zip(folder: Path) -> Path:
    """A million empty members of one name, as far as the directory goes; 47 MB."""
    path = folder / "a.zip"
    path.write_bytes(_zip_bytes([_Packed(b"a", b"", 0)], times=1_000_000))
    return path


def million_in_tar(folder: Path) -> Path:
    """A million folders of one name; 2 MB on disk."""
    info = tarfile.TarInfo("folder")
    info.type = tarfile.DIRTYPE
    path = folder / "a.tar.gz"
    path.write_bytes(gzip.compress(_good()) + gzip.compress(info.tobuf() * 10_000) * 100)
    return path


def long_header_in_tar(folder: Path) -> Path:
    """A name of 10 GiB, which a tar archive may put before a member; 10 MB on disk."""
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 10 * GIB
    path = folder / "a.tar.gz"
    pieces = gzip.compress(PIECE) * (info.size // len(PIECE))
    path.write_bytes(gzip.compress(_good() + info.tobuf(tarfile.GNU_FORMAT)) + pieces)
    return path


def _good() -> bytes:
    return tarfile.TarInfo("good.csv").tobuf()


class _Packed(NamedTuple):
    """A member as the file holds it; without packed bytes it stands in the directory alone."""

    name: bytes
    packed: bytes
    size: int
    checksum: int = 0


def _zip_bytes(
    members: Sequence[_Packed], mode: int = 0, flags: int = UTF8_NAME, times: int = 1
) -> bytes:
    """A zip file, its directory repeated `times`; APPNOTE.TXT 4.3.7, 4.3.12, 4.3.16."""
    files, directory, offset = [], [], 0
    for name, packed, size, checksum in members:
        rest = struct.pack("<4H3I2H", flags, 8, 0, 33, checksum, len(packed), size, len(name), 0)
        attributes = struct.pack("<3H2I", 0, 0, 0, mode << 16, offset)
        directory.append(b"PK\1\2" + struct.pack("<2H", 788, 20) + rest + attributes + name)
        if packed:
            files.append(b"PK\3\4" + struct.pack("<H", 20) + rest + name + packed)
            offset += len(files[-1])
    table, count = b"".join(directory) * times, min(len(members) * times, 0xFFFF)
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, count, count, len(table), offset, 0)
    return b"".join([*files, table, end])
