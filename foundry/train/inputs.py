"""What every trainer is given."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from foundry.core.events import Events
from foundry.core.records import BaseModel, EncodedRow
from foundry.core.rundir import RunDir


@dataclass(frozen=True)
class FitInputs:
    """A model with its adapter attached, the encoded rows, and where to write.

    `micro_batch_size` divides the recipe's `global_batch_size`; `stop_ids` are those that the
    rows supervise; `tokenizer` is only handed to libraries that ask for one.
    """

    model: Any
    tokenizer: Any
    base: BaseModel
    rows: Sequence[EncodedRow]
    stop_ids: Sequence[int]
    run: RunDir
    events: Events
    seed: int
    micro_batch_size: int
    steps: int
