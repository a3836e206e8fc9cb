"""Encoded rows on disk, found again by a hash of everything that made them (C21)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from foundry.core import atomic
from foundry.core.records import EncodedRow, Example, Plan, ShardSet
from foundry.encode import mask_report
from foundry.encode.mask_report import MaskReport
from foundry.encode.tokenize import Encoder

FORMAT_VERSION = 1


def shard_key(plan: Plan, train_sha256: str, encoder: Encoder) -> Mapping[str, Any]:
    """All that decides the ids and labels; any change gives another key and a rebuild."""
    return {
        "format": FORMAT_VERSION,
        "foundry": plan.foundry_version,
        "train": train_sha256,
        "template": atomic.fingerprint(encoder.template),
        "tokenizer": atomic.fingerprint(encoder.tokenizer.backend_tokenizer.to_str()),
        "encode": dict(plan.values["encode"]),
    }


def encode_rows(
    examples: Sequence[Example], encoder: Encoder, *, max_seq_len: int, overlong: str
) -> MaskReport:
    """Encode and count every example.

    Raises:
        DataError: The mask report refuses the rows; every fault is named by file and line.
    """
    report = MaskReport(encoder)
    for example in examples:
        report.add(example, encoder.encode(example), max_seq_len)
    report.check(overlong=overlong)
    return report


def write_shards(report: MaskReport, key_parts: Mapping[str, Any], folder: Path) -> ShardSet:
    """Write `train.parquet` (columns id, input_ids, labels) and describe it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = report.kept
    table = pa.table(
        {
            "id": [row.id for row in rows],
            "input_ids": pa.array([row.input_ids for row in rows], pa.list_(pa.int32())),
            "labels": pa.array([row.labels for row in rows], pa.list_(pa.int32())),
        }
    )
    path = folder / "train.parquet"
    with atomic.replacing(path) as temporary:
        pq.write_table(table, temporary)
    return ShardSet(
        file=path.name,
        sha256=atomic.sha256(path),
        key=atomic.fingerprint(dict(key_parts)),
        key_parts=key_parts,
        rows=len(rows),
        tokens=sum(len(row.input_ids) for row in rows),
        supervised_tokens=report.supervised,
        longest=mask_report.longest(rows),
        stop_ids=tuple(sorted(report.stops)),
        mask=report.as_dict(),
    )


def read_shards(path: Path) -> list[EncodedRow]:
    """The rows as written, in order."""
    import pyarrow.parquet as pq

    return [
        EncodedRow(row["id"], tuple(row["input_ids"]), tuple(row["labels"]))
        for row in pq.read_table(path).to_pylist()
    ]
