"""What exporters are given, and what they must be able to say about what they wrote."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from foundry.core.records import BaseModel
from foundry.encode.tokenize import Encoder
from foundry.models.quiet import quiet
from foundry.train.adapter_files import load_tuned, merge, untrained


@dataclass(frozen=True)
class Tuned:
    """A trained model: the original base, what was trained on disk, and how it is spoken to.

    `adapter` is the folder of the adapter, or of the whole model where all weights were trained.
    `stop_ids` are all ids that end an answer: the trained terminators first, then the EOS that the
    base declares. `title` names the model in metadata. `padding` is what a reward model's rows are
    filled up with, see `padding.py`; None where the model answers.
    """

    base: BaseModel
    adapter: Path
    encoder: Encoder
    stop_ids: tuple[int, ...]
    title: str
    padding: str | None = None

    @cached_property
    def model(self) -> Any:
        """Base and adapter, loaded at the first use and kept: the live model of every proof."""
        return load_tuned(self.base, self.adapter)

    @cached_property
    def merged(self) -> Any:
        """One float32 model for exporters to read, merged on the unquantised base (C30)."""
        return self.freshly_merged()

    def freshly_merged(self) -> Any:
        """The same loaded anew, for an exporter that changes the model."""
        with quiet():
            return merge(load_tuned(self.base, self.adapter))

    def forget(self) -> None:
        """Let go of the models that are kept; who asks for one again loads it again."""
        for kept in ("model", "merged"):
            self.__dict__.pop(kept, None)

    def untrained(self) -> AbstractContextManager[Any]:
        """The base, inside the block; the live model is not to be asked there."""
        return untrained(self.model, self.base)
