"""The smallest OLE2 files: a header, a directory of a few names, and the table of sectors.

Written as Microsoft's [MS-CFB] 2.2, 2.3, 2.5 and 2.6 say.
"""

import struct

MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
FREE, END, FAT, DIFAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD, 0xFFFFFFFC
SECTOR, LINKS = 512, 128  # bytes, and how many numbers of sectors they hold
IN_HEADER = 109


def ole2(*names: str, before: int = 0) -> bytes:
    """A file with these streams, all empty, behind so many sectors that nothing uses.

    From 13,952 sectors on, where the table goes on is no longer said in the header alone.
    """
    entries = [_entry("Root Entry", 5), *(_entry(name, 2) for name in names)]
    directory = b"".join(entries)
    directory += bytes(-len(directory) % SECTOR)
    behind = before + len(directory) // SECTOR
    tables = -(-(behind + 2) // LINKS) + 1
    has_list = tables > IN_HEADER
    links = [*([FREE] * before), *range(before + 1, behind), END, *([FAT] * tables)]
    links += [DIFAT] * has_list
    links += [FREE] * (tables * LINKS - len(links))
    places = [*range(behind, behind + tables)]
    header = struct.pack("<8s16s5H10x", MAGIC, bytes(16), 62, 3, 0xFFFE, 9, 6)
    header += struct.pack("<2I4x3I", tables, before, 4096, END, 0)
    header += struct.pack("<2I", behind + tables if has_list else END, has_list)
    header += _numbers(places[:IN_HEADER], IN_HEADER)
    listed = _numbers(places[IN_HEADER:], LINKS - 1) + struct.pack("<I", END)
    table = struct.pack(f"<{len(links)}I", *links)
    return header + bytes(before * SECTOR) + directory + table + listed * has_list


def _numbers(sectors: list[int], most: int) -> bytes:
    return struct.pack(f"<{most}I", *sectors, *[FREE] * (most - len(sectors)))


def _entry(name: str, kind: int) -> bytes:
    text = name.encode("utf-16-le") + b"\0\0"
    return struct.pack("<64sHBB", text, len(text), kind, 1).ljust(128, b"\0")
