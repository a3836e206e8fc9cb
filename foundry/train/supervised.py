"""TRL's SFT trainer with the loss on supervised positions only.

TRL 1.16 scores every position with the 262k-row head on the CPU (engines.md 2); here the head sees
only the positions that are trained, and the sum is divided by the supervised tokens of the whole
optimizer step, not of the micro-batch (C13).
"""

from collections import Counter
from typing import Any

import torch
from torch.nn.functional import cross_entropy
from trl import SFTTrainer

from foundry.core.errors import DataError, Problem, ProofError
from foundry.core.language import gettext as _
from foundry.encode.tokenize import IGNORED

SUM_TOLERANCE = 1e-5  # of the same float32 numbers, added in another order


class SupervisedTrainer(SFTTrainer):
    """An `SFTTrainer` over flat micro-batches of rows that carry their own labels."""

    loss_is_scaled_for_ga = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Multimodal classes say no, of a loss of their own; without it the items are not counted.
        self.model_accepts_loss_kwargs = True
        self.step_loss = 0.0
        self.step_items = 0
        self.step_divisors: set[float] = set()
        self.tokens = 0
        self.supervised: Counter[int] = Counter()
        self.seen_rows: list[str] = []
        self.step_rows: list[str] = []

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
        loss = supervised_loss(model, inputs) / num_items_in_batch
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
        self.step_loss, self.step_items, self.step_divisors, self.step_rows = 0.0, 0, set(), []
        return loss

    def _count(self, inputs: dict[str, Any], loss: torch.Tensor, divisor: float) -> None:
        value = float(loss.detach())
        rows = list(inputs["row_ids"])
        if value != value or value in (float("inf"), float("-inf")):
            raise DataError(non_finite(_("loss"), self.state.global_step + 1, rows))
        self.step_loss += value
        self.tokens += inputs["input_ids"].numel()
        supervised = inputs["labels"][inputs["labels"] != IGNORED].tolist()
        self.supervised.update(supervised)
        self.step_items += len(supervised)
        self.step_divisors.add(divisor)
        self.seen_rows += rows
        self.step_rows += rows


def supervised_loss(model: Any, inputs: dict[str, Any]) -> torch.Tensor:
    """Sum of cross-entropies at the supervised positions, in nats, a float32 scalar.

    The logits at position t predict the token at t + 1 (C15); `logits_to_keep` gives the head
    only the positions needed, S of them, with whatever the model class does after its head.
    """
    labels_T = inputs["labels"][0]
    positions_S = (labels_T[1:] != IGNORED).nonzero()[:, 0]
    tensors = {name: value for name, value in inputs.items() if name not in ("labels", "row_ids")}
    logits_SV = model(**tensors, logits_to_keep=positions_S, use_cache=False).logits[0]
    return cross_entropy(logits_SV.float(), labels_T[positions_S + 1], reduction="sum")


def non_finite(name: str, step: int, rows: list[str]) -> Problem:
    """The problem of a loss or gradient that is NaN or infinite (C23)."""
    what = _("the {name} is not finite at step {step} (rows {rows})")
    return Problem(
        "train",
        what.format(name=name, step=step, rows=", ".join(rows)),
        _("lower `train.learning_rate`, or look at the rows named"),
    )
