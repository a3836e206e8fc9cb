"""What differs between training by one loss and by another; `fitting` does the rest for all."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch

from foundry.core.records import EncodedRow
from foundry.train import proof
from foundry.train.adapter_files import without_update
from foundry.train.inputs import FitInputs
from foundry.train.losses.head import HEAD_PROBE_TOKENS, Head, head_of, is_whole


class Objective:
    """A loss, the trainer of TRL's that it belongs to, and how both are checked.

    A subclass names `config`, TRL's class of arguments, and `trainer`, a class of `StepTrainer` and
    TRL's own. `can_try` says whether a step of the loss on supervised tokens takes as long as one
    of this loss, so that choices may be tried out on it (`probe.py`), and `is_to_fall` whether a
    lower loss is a better model.
    """

    config: ClassVar[Any]
    trainer: ClassVar[Any]
    can_try: ClassVar[bool] = True
    is_to_fall: ClassVar[bool] = True

    def settings(self) -> dict[str, Any]:
        """Arguments of `config` besides those that every trainer has."""
        return {}

    def further(self, inputs: FitInputs) -> dict[str, Any]:
        """Arguments of `trainer` besides those that every trainer has."""
        return {}

    def head(self, inputs: FitInputs) -> Head | None:
        """The head for a loss without logits; None where the class does more than we know."""
        base = without_update(inputs.model)
        head = head_of(base)
        tokens = torch.tensor([inputs.rows[0].input_ids[:HEAD_PROBE_TOKENS]], device=base.device)
        return head if head is not None and is_whole(base, head, tokens) else None

    def probe(self, trainer: Any, rows: Sequence[EncodedRow], count: int) -> dict[str, Any]:
        """Before the first step: the loss of `count` rows by the trainer and by hand.

        Returns:
            Both, for the evidence.

        Raises:
            ProofError: They differ.
        """
        raise NotImplementedError

    def check_seen(self, trainer: Any, inputs: FitInputs) -> dict[str, Any]:
        """After the last step: what was learned from is what the shards hold."""
        seen = (trainer.supervised, trainer.seen_rows, inputs.rows, inputs.stop_ids)
        return proof.check_seen(*seen)

    def probes(self, rows: Sequence[EncodedRow]) -> list[list[int]]:
        """The ids of what two models are asked to be told apart; of `rows`, the first ones."""
        return proof.probe_prefixes(rows)

    def says(self, model: Any, prefixes: Sequence[Sequence[int]]) -> torch.Tensor:
        """What a model says after each prefix, by which two models are told apart."""
        return proof.next_logits(model, prefixes)
