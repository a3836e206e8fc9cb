"""Encoded rows as Arrow tables, whose columns are the fields of `EncodedRow`."""

from array import array
from collections.abc import Sequence
from dataclasses import fields
from itertools import accumulate, chain
from typing import Any

from foundry.core.records import EncodedRow

IDS = ("input_ids", "rejected_input_ids")


def schema() -> Any:
    """The columns and their types."""
    import pyarrow as pa

    ids = pa.list_(pa.int32())
    kinds = {"id": pa.string(), "label": pa.bool_(), "margin": pa.float64()}
    return pa.schema([(f.name, kinds.get(f.name, ids)) for f in fields(EncodedRow)])


def table_of(rows: Sequence[EncodedRow]) -> Any:
    """The rows as a table."""
    import pyarrow as pa

    kinds = schema()
    return pa.table([_column([getattr(r, k.name) for r in rows], k.type) for k in kinds], kinds)


def ids_of(table: Any) -> int:
    """Ids of all rows, both sides of a preference."""
    return sum(len(chunk.values) for name in IDS for chunk in table[name].chunks)


def rows_of(table: Any) -> list[EncodedRow]:
    """The rows of a table."""
    return [
        EncodedRow(**{k: tuple(v) if isinstance(v, list) else v for k, v in row.items()})
        for row in table.to_pylist()
    ]


def _column(values: Sequence[Any], kind: Any) -> Any:
    """The values as an Arrow array, made of its buffers.

    `pyarrow.array` imports pandas to see whether it was given some, which takes half a second.
    """
    import numpy as np
    import pyarrow as pa

    count, of = len(values), pa.Array.from_buffers

    def bits(are: Sequence[bool]) -> Any:
        return pa.py_buffer(np.packbits(np.array(are, bool), bitorder="little"))

    known = [v is not None for v in values]
    if kind == pa.bool_():
        return of(kind, count, [bits(known), bits([bool(v) for v in values])])
    if kind == pa.float64():
        numbers = pa.py_buffer(array("d", (v or 0.0 for v in values)))
        return of(kind, count, [bits(known), numbers])
    is_text = kind == pa.string()
    items = [value.encode("utf-8") for value in values] if is_text else values
    offsets = pa.py_buffer(array("i", accumulate(map(len, items), initial=0)))
    if is_text:
        return of(kind, count, [None, offsets, pa.py_buffer(b"".join(items))])
    flat = array("i", chain.from_iterable(items))
    inner = of(kind.value_type, len(flat), [None, pa.py_buffer(flat)])
    return of(kind, count, [None, offsets], children=[inner])
