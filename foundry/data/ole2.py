"""The names of what an OLE2 file holds, such as an .xls or .doc file, from its directory.

The directory lies anywhere in the file; only its sectors and those of the table that joins them
are read.

Source: Microsoft, [MS-CFB] 2.2 (header), 2.3 (FAT), 2.5 (DIFAT) and 2.6 (directory).
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO

HEADER_BYTES = 512
SHIFTS = (9, 12)  # sectors of 512 or 4,096 bytes
IN_HEADER = 109  # entries of the DIFAT
LAST_SECTOR = 0xFFFFFFFA  # greater numbers are marks
ENTRY_BYTES = 128
MOST_SECTORS = 1 << 14  # of a chain; a directory of 65,536 entries, or a DIFAT of a 2 GiB file


def names(path: Path) -> set[str]:
    """The names of all streams and storages; none where the file is not built as an OLE2 file."""
    with path.open("rb") as stream:
        header = stream.read(HEADER_BYTES)
        if len(header) < HEADER_BYTES:
            return set()
        shift, first = struct.unpack_from("<H16xI", header, 30)
        if shift not in SHIFTS:
            return set()
        fat = _Fat(stream, 1 << shift, header)
        entries = (entry for sector in fat.chain(first) for entry in _cut(fat.sector(sector)))
        return {name for entry in entries if (name := _name(entry))}


def _cut(sector: bytes) -> Iterator[bytes]:
    return (sector[at : at + ENTRY_BYTES] for at in range(0, len(sector), ENTRY_BYTES))


def _name(entry: bytes) -> str:
    """The name in a directory entry, whose length in bytes counts the NUL behind it."""
    if len(entry) < ENTRY_BYTES:
        return ""
    (length,) = struct.unpack_from("<H", entry, 64)
    return entry[: max(0, min(length, 64) - 2)].decode("utf-16-le", "replace")


class _Fat:
    """The table that says which sector follows which."""

    def __init__(self, stream: IO[bytes], sector_bytes: int, header: bytes) -> None:
        self._stream, self._size = stream, sector_bytes
        self._parts = list(struct.unpack_from(f"<{IN_HEADER}I", header, 76))
        (self._next_part,) = struct.unpack_from("<I", header, 68)

    def sector(self, number: int) -> bytes:
        """The bytes of a sector; fewer or none at the end of a file that is cut off."""
        self._stream.seek((number + 1) * self._size)
        return self._stream.read(self._size)

    def chain(self, first: int) -> Iterator[int]:
        """The numbers of a sector and of those that follow it."""
        number = first
        for _step in range(MOST_SECTORS):
            if number > LAST_SECTOR:
                return
            yield number
            number = self._after(number)

    def _after(self, number: int) -> int:
        part, at = divmod(number, self._size // 4)
        while part >= len(self._parts) and self._more_parts():
            pass
        if part >= len(self._parts) or self._parts[part] > LAST_SECTOR:
            return LAST_SECTOR + 1
        sector = self.sector(self._parts[part])[4 * at : 4 * at + 4]
        return int.from_bytes(sector, "little") if len(sector) == 4 else LAST_SECTOR + 1

    def _more_parts(self) -> bool:
        """Read one more sector of the list of the table's own sectors; its last entry is a link."""
        if self._next_part > LAST_SECTOR or len(self._parts) > MOST_SECTORS * (self._size // 4):
            return False
        sector = self.sector(self._next_part)
        if len(sector) < self._size:
            return False
        *parts, self._next_part = struct.unpack(f"<{self._size // 4}I", sector)
        self._parts += parts
        return True
