"""TRL's SFT trainer, one optimizer step from each batch, with the loss on supervised positions.

A batch of the data loader is all rows of one step. They go through the model in micro-batches, and
every sum is divided by the supervised tokens of the whole step, not of the micro-batch (C13). TRL
1.16 scores every position with the 262k-row head on the CPU (engines.md 2); here the head sees only
the positions that are trained, and holds no logits where it can (`foundry/train/head.py`).
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn.functional import cross_entropy
from trl import SFTTrainer

from foundry.core.errors import DataError, Problem, ProofError
from foundry.core.language import gettext as _
from foundry.encode.tokenize import IGNORED
from foundry.models.language_part import token_type_inputs
from foundry.train import collate
from foundry.train.adapter_files import without_update
from foundry.train.arrange import Arrangement, arrange
from foundry.train.head import Head, head_loss, hidden_states

SUM_TOLERANCE = 1e-5  # of the same float32 numbers, added in another order


Row = Mapping[str, Any]
# What a micro-batch says to us and not to the model.
OURS = ("labels", "row_ids", "tokens")


class SupervisedTrainer(SFTTrainer):
    """An `SFTTrainer` over batches `{"rows": [...]}` of rows that carry their own labels."""

    loss_is_scaled_for_ga = True

    def __init__(
        self, *args: Any, arrangement: Arrangement, head: Head | None = None, **kwargs: Any
    ) -> None:
        with precision_kept(kwargs["model"]):
            super().__init__(*args, **kwargs)
        self.arrangement, self.head = arrangement, head
        self.zeros = token_type_inputs(without_update(self.model))
        self.step_loss = 0.0
        self.step_items = 0
        self.step_divisors: set[float] = set()
        self.tokens = 0
        self.supervised: Counter[int] = Counter()
        self.seen_rows: list[str] = []
        self.step_rows: list[str] = []
        self.last_rows: list[str] = []

    def training_step(
        self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None
    ) -> torch.Tensor:
        """Take the gradients of a whole optimizer step; its loss, in nats per token."""
        rows = inputs["rows"]
        items = sum(label != IGNORED for row in rows for label in row["labels"][1:])
        loss = torch.zeros((), device=self.args.device)
        for micro_batch in self.micro_batches(rows):
            loss += super().training_step(model, micro_batch, items)
        return loss

    def micro_batches(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        """The rows of a step as they go through the model."""
        return cut(rows, self.arrangement, self.zeros)

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """Sum of cross-entropies over `num_items_in_batch`, in nats per token.

        `num_items_in_batch` counts the supervised tokens of all micro-batches of the step.
        """
        loss = supervised_loss(model, inputs, self.head) / num_items_in_batch
        if self.model.training:
            self._count(inputs, loss, float(num_items_in_batch))
        return loss

    def end_step(self, reported: float) -> float:
        """The loss of the step that ends, in nats per token; begins the count of the next.

        Args:
            reported: The sum of what the Trainer took gradients of in this step.

        Raises:
            ProofError: The sums of its micro-batches were not divided by the supervised tokens
                of all of them, or were scaled once more before the gradient was taken (C13).
        """
        if self.step_divisors != {self.step_items}:
            what = _("the loss of a step of {items} supervised tokens was divided by {found}")
            found = ", ".join(f"{n:g}" for n in sorted(self.step_divisors))
            raise ProofError(Problem("train.loss", what.format(items=self.step_items, found=found)))
        loss = self.step_loss
        if abs(reported - loss) > SUM_TOLERANCE * max(1.0, abs(loss)):
            what = _("gradients were taken of {reported:.6f}, the loss of the step is {loss:.6f}")
            raise ProofError(Problem("train.loss", what.format(reported=reported, loss=loss)))
        self.last_rows = self.step_rows
        self.step_loss, self.step_items, self.step_divisors, self.step_rows = 0.0, 0, set(), []
        return loss

    def _count(self, inputs: dict[str, Any], loss: torch.Tensor, divisor: float) -> None:
        value = float(loss.detach())
        rows = list(inputs["row_ids"])
        if value != value or value in (float("inf"), float("-inf")):
            raise DataError(non_finite(_("loss"), self.state.global_step + 1, rows))
        self.step_loss += value
        self.tokens += inputs["tokens"]
        supervised = inputs["labels"][inputs["labels"] != IGNORED].tolist()
        self.supervised.update(supervised)
        self.step_items += len(supervised)
        self.step_divisors.add(divisor)
        self.seen_rows += rows
        self.step_rows += rows


@contextmanager
def precision_kept(model: Any) -> Iterator[None]:
    """Inside, what trains may be cast; at the end it has the numbers that it had.

    TRL 1.16 casts the update of a quantised base to bfloat16 (engines.md 3, C23).
    """
    before = {parameter: parameter.data for parameter in model.parameters()}
    yield
    for parameter, data in before.items():
        if parameter.requires_grad and parameter.dtype != data.dtype:
            parameter.data = data.to(parameter.device)


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


def non_finite(name: str, step: int, rows: list[str]) -> Problem:
    """The problem of a loss or gradient that is NaN or infinite (C23)."""
    what = _("the {name} is not finite at step {step} (rows {rows})")
    return Problem(
        "train",
        what.format(name=name, step=step, rows=", ".join(rows)),
        _("lower `train.learning_rate`, or look at the rows named"),
    )
