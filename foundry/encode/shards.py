"""Encoded rows on disk, found again by a hash of everything that made them (C21).

Examples go through in batches and rows leave in row groups, so that memory does not grow with
their number.
"""

import gc
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import fields
from itertools import accumulate, chain
from pathlib import Path
from typing import Any, TypeVar

from foundry.core import atomic
from foundry.core.errors import DataError
from foundry.core.faults import fault_point
from foundry.core.recipe import Encode
from foundry.core.records import EncodedRow, Example, Plan, ShardSet
from foundry.encode.checks import check_many
from foundry.encode.mask_report import NAMED, MaskReport
from foundry.encode.overlong import Fitter
from foundry.encode.rows import Encoded
from foundry.encode.shorten import chars_of
from foundry.encode.tokenize import Encoder

T = TypeVar("T")
U = TypeVar("U")

FORMAT_VERSION = 2
TRAIN, SUFFIX, LEFT_OUT = "train", ".parquet", "left_out.jsonl"
BATCH_EXAMPLES = 256
RENDERED_AHEAD, TOKENISED_AHEAD = 3, 1  # batches; tokens take a hundred times their text
BATCH_CHARS = 1 << 20
GROUP_TOKENS = 1 << 18  # ids of a row group; 2 MiB with their labels


def shard_key(plan: Plan, train_sha256: str, encoder: Encoder) -> Mapping[str, Any]:
    """All that decides the ids and labels; any change gives another key and a rebuild."""
    return {
        "format": FORMAT_VERSION,
        "foundry": plan.foundry_version,
        "train": train_sha256,
        "template": encoder.template_sha256,
        "tokenizer": atomic.fingerprint(encoder.tokenizer.backend_tokenizer.to_str()),
        "control": [encoder.bos_token, encoder.eos_token, encoder.bos_id],
        "encode": dict(plan.values["encode"]),
    }


def encode_rows(
    examples: Iterable[Example], settings: Encode, report: MaskReport
) -> Iterator[list[EncodedRow]]:
    """The rows of all examples in order, a list for each batch, counted in `report`.

    While one batch is checked, the next is tokenised and the one after it rendered.

    Raises:
        DataError: The template can be used for no row, or `NAMED` faults were found already.
    """
    report.over.limit, report.over.policy = settings.max_seq_len, settings.overlong
    fitter = Fitter(settings, report)
    rendered = ahead(RENDERED_AHEAD, fitter.rendered, batches(examples))
    for (batch, _texts), made in ahead(TOKENISED_AHEAD, fitter.tokenised, rendered):
        report.examples += len(batch)
        for group in bounded(fitter.fit(batch, made), tokens_of, GROUP_TOKENS):
            for encoded, faults in zip(group, check_many(group, report.encoder), strict=True):
                report.add(encoded, faults)
            if len(report.faults) >= NAMED:
                raise DataError(report.faults)
            yield [row for encoded in group for row in encoded.rows]


@contextmanager
def seldom_collected() -> Iterator[None]:
    """Inside, cyclic garbage is looked for after 50,000 objects; rows, which are many, have none.

    At Python's own 700 that took an eighth of the time.
    """
    before = gc.get_threshold()
    gc.set_threshold(50_000, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def ahead(most: int, do: Callable[[T], U], items: Iterable[T]) -> Iterator[tuple[T, U]]:
    """Each item and what `do` makes of it in another thread, which is `most` items ahead."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        coming = deque[tuple[T, Future[U]]]()
        for item in items:
            coming.append((item, pool.submit(do, item)))
            if len(coming) > most:
                item, made = coming.popleft()
                yield item, made.result()
        for item, made in coming:
            yield item, made.result()


def batches(examples: Iterable[Example]) -> Iterator[list[Example]]:
    """Examples in lists of bounded number and length."""
    return bounded(examples, chars_of, BATCH_CHARS)


def bounded(items: Iterable[T], size: Callable[[T], int], most: int) -> Iterator[list[T]]:
    """Items in lists of at most `BATCH_EXAMPLES`, of at most `most` together unless one is more."""
    batch, total = list[T](), 0
    for item in items:
        if batch and (len(batch) == BATCH_EXAMPLES or total + size(item) > most):
            yield batch
            batch, total = [], 0
        batch.append(item)
        total += size(item)
    if batch:
        yield batch


def tokens_of(encoded: Encoded) -> int:
    """Ids of all rows of an example, both sides of a preference."""
    return sum(len(piece.ids) for piece in encoded.pieces)


def write_shards(
    examples: Iterable[Example],
    settings: Encode,
    report: MaskReport,
    *,
    key_parts: Mapping[str, Any],
    folder: Path,
    max_refused: float = 0.0,
) -> ShardSet:
    """Encode `examples` and write a Parquet file whose columns are the fields of `EncodedRow`.

    The file has the name of the report's part. Beside it, `LEFT_OUT` lists what is not trained, a
    refusal on each line.

    Args:
        examples: What is learned.
        settings: The recipe's `encode` block.
        report: Counts what is written; new.
        key_parts: All that decides the ids, from `shard_key`.
        folder: Where the files go; those of their names are replaced.
        max_refused: Largest share of examples that may be refused, 0 to 1.

    Raises:
        DataError: The mask report refuses the rows; every fault is named by file and line. No file
            is written.
    """
    path = folder / f"{report.part}{SUFFIX}"
    beside = folder / (LEFT_OUT if report.part == TRAIN else f"{report.part}.{LEFT_OUT}")
    with atomic.replacing(path) as temporary, atomic.replacing(beside) as left_out:
        with left_out.open("w", encoding="utf-8") as report.listing, seldom_collected():
            _write(encode_rows(examples, settings, report), temporary)
        report.check(overlong=settings.overlong, max_refused=max_refused)
    return ShardSet(
        file=path.name,
        sha256=atomic.sha256(path),
        key=atomic.fingerprint(dict(key_parts)),
        key_parts=key_parts,
        rows=report.rows,
        tokens=report.tokens,
        supervised_tokens=report.supervised,
        longest=report.longest,
        stop_ids=tuple(sorted(report.stops)),
        mask=report.as_dict(),
        type=report.type,
    )


def _write(batches_of_rows: Iterable[Sequence[EncodedRow]], path: Path) -> None:
    """Rows in row groups of about `GROUP_TOKENS` ids."""
    import pyarrow.parquet as pq

    with pq.ParquetWriter(path, _schema()) as writer:
        group, tokens = list[EncodedRow](), 0
        for rows in batches_of_rows:
            group += rows
            tokens += sum(len(row.input_ids) + len(row.rejected_input_ids) for row in rows)
            if tokens >= GROUP_TOKENS:
                writer.write_table(_table(group))
                group, tokens = [], 0
        fault_point("rows-write")
        if group:
            writer.write_table(_table(group))


def _schema() -> Any:
    import pyarrow as pa

    ids = pa.list_(pa.int32())
    kinds = {"id": pa.string(), "label": pa.bool_()}
    return pa.schema([(f.name, kinds.get(f.name, ids)) for f in fields(EncodedRow)])


def _table(rows: Sequence[EncodedRow]) -> Any:
    import pyarrow as pa

    kinds = _schema()
    return pa.table([_column([getattr(r, k.name) for r in rows], k.type) for k in kinds], kinds)


def _column(values: Sequence[Any], kind: Any) -> Any:
    """The values as an Arrow array, made of its buffers.

    `pyarrow.array` imports pandas to see whether it was given some, which takes half a second.
    """
    import numpy as np
    import pyarrow as pa

    count, of = len(values), pa.Array.from_buffers
    if kind == pa.bool_():
        known, true = ([v is not None for v in values], [bool(v) for v in values])
        bits = (np.packbits(np.array(b, bool), bitorder="little") for b in (known, true))
        return of(kind, count, list(map(pa.py_buffer, bits)))
    is_text = kind == pa.string()
    items = [value.encode("utf-8") for value in values] if is_text else values
    offsets = pa.py_buffer(array("i", accumulate(map(len, items), initial=0)))
    if is_text:
        return of(kind, count, [None, offsets, pa.py_buffer(b"".join(items))])
    flat = array("i", chain.from_iterable(items))
    inner = of(kind.value_type, len(flat), [None, pa.py_buffer(flat)])
    return of(kind, count, [None, offsets], children=[inner])


def read_held(folder: Path, held: Mapping[str, Any] | None) -> list[EncodedRow]:
    """The rows of `ShardSet.validation`; none where there are none."""
    return [] if held is None else read_shards(folder / held["file"])


def read_shards(path: Path) -> list[EncodedRow]:
    """The rows as written, in order."""
    import pyarrow.parquet as pq

    return [
        EncodedRow(**{k: tuple(v) if isinstance(v, list) else v for k, v in row.items()})
        for row in pq.read_table(path).to_pylist()
    ]
