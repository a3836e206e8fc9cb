"""Bytes that a run leaves on the disk, by part."""

from collections.abc import Mapping
from dataclasses import dataclass

from foundry.core.records import Record
from foundry.planning.estimate.job import Job
from foundry.planning.estimate.stored import optimizer_bytes

FLOAT32 = 4
# Bytes for each number of the base: a merged model in float32, a GGUF file in up to two bytes.
PER_EXPORT = {"merged": 4, "gguf": 2}
# Of an example: it stands among those that were taken in, then in its part as well; and what the
# plan has not seen of it, its id and the other columns of its row.
COPIES, WITH_FIELDS = 2, 2
# Of a token in a shard: its id and its label, before anything is compressed.
PER_TOKEN = 8


@dataclass(frozen=True)
class Disk(Record):
    """Bytes by part."""

    parts: Mapping[str, int]

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.parts.values())


def disk(job: Job) -> Disk:
    """Bytes at most, the checkpoint that is being written among them.

    Where the base's own weights train, those that do not are saved with them.
    """
    saved = FLOAT32 * (job.shape.parameters if job.is_full else job.trained_weights)
    checkpoint = saved + optimizer_bytes(job)
    exports = sum(PER_EXPORT.get(kind, 0) * job.shape.parameters for kind in job.exports)
    exports += saved * sum(kind not in PER_EXPORT for kind in job.exports)
    rows = job.rows.count + job.rows.held
    return Disk(
        {
            "data": round(rows * job.rows.line_bytes * WITH_FIELDS * COPIES),
            "shards": round(rows * job.rows.tokens.high * PER_TOKEN),
            "checkpoints": checkpoint * (job.checkpoints + 1),
            "adapter": saved,
            "exports": exports,
            "package": exports,
        }
    )
