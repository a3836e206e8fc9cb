"""The text in a GGUF file's metadata, read without the `gguf` package.

Its reader keeps every token of the vocabulary as an array of its own and needs ten seconds for
50,000 of them (gguf 0.19); here lists are stepped over.

Source: the format's description, https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
"""

import mmap
import struct
from pathlib import Path

from foundry.core.errors import Problem, ProofError
from foundry.core.language import gettext as _

MAGIC = b"GGUF"
VERSIONS = (2, 3)
STRING, ARRAY = 8, 9
# Size in bytes of each type that has one: (u)int 8, 16, 32; float 32; bool; (u)int 64; float 64.
SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}


def texts(path: Path) -> dict[str, str]:
    """Key -> value of each field that is text; lists such as the vocabulary are left out.

    Raises:
        ProofError: Not a GGUF file of a version we know, or cut short.
    """
    try:
        with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as m:
            return _Header(m).texts()
    except (ValueError, struct.error, KeyError, RecursionError) as error:
        what = _("not a GGUF file that can be read ({error})").format(error=error)
        raise ProofError(Problem(path.name, what, _("export it again"))) from error


class _Header:
    """A cursor over the bytes; little-endian."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data, self.at = data, 0

    def texts(self) -> dict[str, str]:
        """Read the header from its start."""
        magic, version = self.data[:4], struct.unpack_from("<I", self.data, 4)[0]
        if magic != MAGIC or version not in VERSIONS:
            raise ValueError(f"{magic!r}, version {version}")
        self.at = 16  # after magic, version and the number of tensors
        found = {}
        for _n in range(self._number("<Q")):
            key, kind = self._string().decode("utf-8"), self._number("<I")
            if kind == STRING:
                found[key] = self._string().decode("utf-8")
            else:
                self._skip(kind)
        return found

    def _number(self, form: str) -> int:
        value = struct.unpack_from(form, self.data, self.at)[0]
        self.at += struct.calcsize(form)
        return int(value)

    def _string(self) -> bytes:
        start = self.at + 8
        self._step(self._number("<Q"))
        return self.data[start : self.at]

    def _step(self, size: int) -> None:
        """Go `size` bytes on, of which a broken header may ask for more than there are."""
        if size > len(self.data) - self.at:
            raise ValueError("cut short")
        self.at += size

    def _skip(self, kind: int) -> None:
        if kind != ARRAY:
            self._step(SIZES[kind])
            return
        inner, count = self._number("<I"), self._number("<Q")
        if inner in SIZES:
            self._step(SIZES[inner] * count)
            return
        for _n in range(count):
            if inner == STRING:
                self._string()
            else:
                self._skip(inner)
