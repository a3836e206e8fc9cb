"""The reader of the `gguf` package, with its lists read at once.

The package's own makes two slices of a memory map for each token of a vocabulary: 12 s for Gemma's
262,144 (gguf 0.19, `gguf_reader.py`, `_get_field_parts`). transformers reads such a file three
times while it converts it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gguf
import numpy as np

HEAD_BYTES = 12  # of a list: the type of its items in four, their number in eight


class Reader(gguf.GGUFReader):
    """Reads what `gguf.GGUFReader` reads, and keeps the same fields."""

    def _get_field_parts(self, orig_offs: int, raw_type: int) -> Any:
        if raw_type == gguf.GGUFValueType.ARRAY:
            kind = gguf.GGUFValueType(int(self._get(orig_offs, np.uint32)[0]))
            if kind == gguf.GGUFValueType.STRING:
                return self._texts(orig_offs)
            if kind in self.gguf_scalar_to_np:
                return self._numbers(orig_offs, kind)
        return super()._get_field_parts(orig_offs, raw_type)

    def _head(self, at: int) -> tuple[list[Any], int]:
        """The two parts with which a list begins, and the number of its items."""
        count = self._get(at + 4, np.uint64)
        return [self._get(at, np.uint32), count], int(count[0])

    def _numbers(self, at: int, kind: gguf.GGUFValueType) -> Any:
        """A list of numbers as one part for each, of one value."""
        parts, count = self._head(at)
        found = np.asarray(self._get(at + HEAD_BYTES, self.gguf_scalar_to_np[kind], count))
        first = len(parts)
        parts += [found[n : n + 1] for n in range(count)]
        types = [gguf.GGUFValueType.ARRAY, *[kind][:count]]
        return HEAD_BYTES + found.nbytes, parts, list(range(first, len(parts))), types

    def _texts(self, at: int) -> Any:
        """A list of texts as two parts for each, its length and its bytes."""
        parts, count = self._head(at)
        order = "little" if self.endianess == gguf.GGUFEndian.LITTLE else "big"
        raw, first, end = memoryview(self.data), len(parts), at + HEAD_BYTES
        for _n in range(count):
            begin = end + 8
            size = raw[end:begin]
            end = begin + int.from_bytes(size, order)
            parts += (size, raw[begin:end])
        types = [gguf.GGUFValueType.ARRAY, *[gguf.GGUFValueType.STRING][:count]]
        return end - at, parts, list(range(first + 1, len(parts), 2)), types


@contextmanager
def lists_read_at_once() -> Iterator[None]:
    """Inside, whoever asks `gguf` for its reader, as transformers does, gets this one."""
    before, gguf.GGUFReader = gguf.GGUFReader, Reader
    try:
        yield
    finally:
        gguf.GGUFReader = before
