"""The loss of `sft` and `pretrain`: cross-entropy of the supervised tokens.

TRL 1.16 scores every position with the 262k-row head on the CPU (engines.md 2); here the head sees
only the positions that are trained, and holds no logits where it can (`losses/head.py`).
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.functional import cross_entropy
from trl import SFTConfig, SFTTrainer

from foundry.core.records import EncodedRow
from foundry.encode.tokenize import IGNORED
from foundry.train import proof
from foundry.train.adapter_files import without_update
from foundry.train.batches import collate
from foundry.train.batches.arrange import Arrangement, arrange
from foundry.train.losses.head import Head, head_loss, hidden_states
from foundry.train.losses.objective import Objective
from foundry.train.steps import Batch, Row, StepTrainer, entry

# What a micro-batch says to us and not to the model.
OURS = ("labels", "row_ids", "tokens")


class SupervisedTrainer(StepTrainer, SFTTrainer):  # type: ignore[misc]
    """An `SFTTrainer` over rows that carry their own labels; an item is a supervised token."""

    def items(self, rows: Sequence[Row]) -> int:
        """Supervised tokens; the first of a row has nothing before it."""
        return sum(label != IGNORED for row in rows for label in row["labels"][1:])

    def micro_batches(self, rows: Sequence[Row]) -> list[Batch]:
        """The rows of a step as they go through the model."""
        return cut(rows, self.arrangement, self.zeros)

    def summed_loss(self, model: Any, inputs: Batch) -> torch.Tensor:
        """Sum of cross-entropies in nats."""
        return supervised_loss(model, inputs, self.head)


class Supervised(Objective):
    """Learn the supervised tokens of each row."""

    config, trainer = SFTConfig, SupervisedTrainer

    def settings(self) -> dict[str, Any]:
        """What keeps TRL from preparing rows of its own, and experts' routing out of the loss."""
        return {
            "packing": False,
            "max_length": None,
            "dataset_kwargs": {"skip_prepare_dataset": True},
            "router_aux_loss_coef": 0.0,
        }

    def probe(self, trainer: Any, rows: Sequence[EncodedRow], count: int) -> dict[str, Any]:
        """The first batch's loss by the trainer and by hand, which must agree; see `proof`."""
        rows = proof.uneven(rows, count)
        micro_batches = trainer.micro_batches([entry(row) for row in rows])
        proof.check_collated(micro_batches, rows)
        return proof.loss_probe(trainer, rows, micro_batches)


def cut(
    rows: Sequence[Row], arrangement: Arrangement, zeros: Sequence[str]
) -> list[dict[str, Any]]:
    """Rows as micro-batches; `zeros` are the names of further inputs, see `token_type_inputs`."""
    groups = arrange([len(row["input_ids"]) for row in rows], arrangement)
    if arrangement.kind == "padded":
        return [collate.padded([rows[n] for n in group], zeros=zeros) for group in groups]
    named: dict[str, Any] = {"zeros": zeros, "by_row": arrangement.by_row}
    return [collate.flat([rows[n] for n in group], **named) for group in groups]


def supervised_loss(model: Any, inputs: dict[str, Any], head: Head | None = None) -> torch.Tensor:
    """Sum of cross-entropies at the supervised positions, in nats, a float32 scalar.

    The logits at position t predict the token at t + 1 (C15); `logits_to_keep` gives the head
    only the positions needed, those where any row of the micro-batch is supervised, S of them.
    With `head` no logits are held; without it the model class does what it does after its head.
    """
    labels_BT = inputs["labels"]
    positions_S = (labels_BT[:, 1:] != IGNORED).any(dim=0).nonzero()[:, 0]
    targets_BS = labels_BT[:, positions_S + 1]
    given = {name: value for name, value in inputs.items() if name not in OURS}
    given |= {"logits_to_keep": positions_S, "use_cache": False}
    if head is None:
        logits_BSV = model(**given).logits.float()
        named: dict[str, Any] = {"ignore_index": IGNORED, "reduction": "sum"}
        return cross_entropy(logits_BSV.flatten(0, 1), targets_BS.flatten(), **named)
    with hidden_states(without_update(model)) as seen:
        model(**given)
    is_supervised_BS = targets_BS != IGNORED
    return head_loss(seen[0][is_supervised_BS], head, targets_BS[is_supervised_BS])
