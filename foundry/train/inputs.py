"""What every trainer is given."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from foundry.core.events import Events
from foundry.core.records import BaseModel, EncodedRow
from foundry.core.rundir import RunDir
from foundry.models.load import Storage
from foundry.models.place import CPU, Place
from foundry.train.batches.arrange import Arrangement
from foundry.train.losses.asking import Asked
from foundry.train.processes.crew import ALONE, Crew


@dataclass(frozen=True)
class FitInputs:
    """A model with its adapter attached, the encoded rows, and where to write.

    `stop_ids` are those that the rows supervise; `tokenizer` is only handed to libraries that ask
    for one. `storage` is how the base is held, which is how it is read again to prove what was
    saved, and `place` where. `sequences` are the rows, by index, that share a place in a batch;
    where there are none, each has its own. `validation` are rows to measure the loss on, which
    nothing is learned from. `optimizer` makes one of a model, a class and its settings where the
    adapter wants groups of its own; `times_rate` is the adapter's rate over LoRA's, None where
    nobody has tried one. `crew` are the processes that train together. `teacher` is the model to
    learn from; `asked` are the rows as questions, by row, for a trainer that asks, and `ends` all
    ids that end an answer in use. `most_pack_tokens` is the largest pack that may be tried, as the
    plan found it to fit; None where it did not look, and none above the usual one is tried.
    """

    model: Any
    tokenizer: Any
    base: BaseModel
    rows: Sequence[EncodedRow]
    stop_ids: Sequence[int]
    run: RunDir
    events: Events
    seed: int
    arrangement: Arrangement
    steps: int
    storage: Storage = "full"
    place: Place = CPU
    sequences: Sequence[Sequence[int]] = ()
    validation: Sequence[EncodedRow] = ()
    optimizer: Callable[..., Any] | None = None
    times_rate: float | None = 1.0
    crew: Crew = ALONE
    teacher: BaseModel | None = None
    ends: Sequence[int] = ()
    most_pack_tokens: int | None = None
    asked: Mapping[str, Asked] = field(default_factory=dict)
