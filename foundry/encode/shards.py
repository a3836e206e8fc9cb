"""Encoded rows on disk, found again by a hash of everything that made them (C21).

Examples go through in batches and rows leave in row groups, so that memory does not grow with
their number.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from foundry.core import atomic
from foundry.core.faults import fault_point
from foundry.core.recipe import Encode
from foundry.core.records import EncodedRow, Plan, ShardSet
from foundry.encode.batches import GROUP_TOKENS, encoded_tables
from foundry.encode.mask_report import MaskReport
from foundry.encode.tables import ids_of, rows_of, schema
from foundry.encode.tokenize import Encoder

FORMAT_VERSION = 3
TRAIN, SUFFIX, LEFT_OUT = "train", ".parquet", "left_out.jsonl"


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


def write_shards(
    lines: Iterable[str],
    settings: Encode,
    report: MaskReport,
    *,
    key_parts: Mapping[str, Any],
    folder: Path,
    max_refused: float = 0.0,
) -> ShardSet:
    """Encode examples and write a Parquet file whose columns are the fields of `EncodedRow`.

    The file has the name of the report's part. Beside it, `LEFT_OUT` lists what is not trained, a
    refusal on each line.

    Args:
        lines: What is learned: the examples of a part, each as its line of JSON.
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
        with left_out.open("w", encoding="utf-8") as report.listing:
            _write(encoded_tables(lines, settings, report), temporary)
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


def _write(tables: Iterable[Any], path: Path) -> None:
    """Rows in row groups of about `GROUP_TOKENS` ids."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    def write(group: Sequence[Any]) -> None:
        writer.write_table(pa.concat_tables(group).combine_chunks())

    with pq.ParquetWriter(path, schema()) as writer:
        group, tokens = list[Any](), 0
        for table in tables:
            group.append(table)
            tokens += ids_of(table)
            if tokens >= GROUP_TOKENS:
                write(group)
                group, tokens = [], 0
        fault_point("rows-write")
        if group:
            write(group)


def read_held(folder: Path, held: Mapping[str, Any] | None) -> list[EncodedRow]:
    """The rows of `ShardSet.validation`; none where there are none."""
    return [] if held is None else read_shards(folder / held["file"])


def read_shards(path: Path) -> list[EncodedRow]:
    """The rows as written, in order."""
    import pyarrow.parquet as pq

    return rows_of(pq.read_table(path))
