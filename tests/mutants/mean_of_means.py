"""Gradient accumulation averages the averages of its micro-batches (C13)."""

from typing import Any

from foundry.encode.tokenize import IGNORED
from foundry.train.losses import supervised
from foundry.train.losses.supervised import SupervisedTrainer
from tests.mutants.mutant import Mutant, Patch

cut, step = SupervisedTrainer.micro_batches, SupervisedTrainer.training_step


def mean_of_means(self: Any, model: Any, inputs: Any, *rest: Any, **named: Any) -> Any:
    own = (inputs["labels"] != IGNORED).sum()
    loss = supervised.supervised_loss(model, inputs, self.head) / own
    loss = loss / self.current_gradient_accumulation_steps
    if self.model.training:
        self._count(inputs, loss, float(named["num_items_in_batch"]))
    return loss


def counted(self: Any, rows: Any) -> Any:
    """Tells the Trainer, which would divide by it, how many micro-batches a step has."""
    made = cut(self, rows)
    self.current_gradient_accumulation_steps = len(made)
    return made


def of_the_first(self: Any, *arguments: Any) -> Any:
    """What is divided by: the tokens of one micro-batch instead of the whole step's."""
    correct = self.compute_loss

    def compute_loss(model: Any, inputs: Any, num_items_in_batch: Any) -> Any:
        first = self.__dict__.setdefault("first", (inputs["labels"] != IGNORED).sum())
        return correct(model, inputs, num_items_in_batch=first)

    self.compute_loss = compute_loss
    try:
        return step(self, *arguments)
    finally:
        self.__dict__.pop("first")
        del self.compute_loss


def in_the_gradient(patch: Patch) -> None:
    """The Trainer divides by the number of micro-batches what is a sum already."""
    patch.setattr(SupervisedTrainer, "loss_is_scaled_for_ga", False)
    patch.setattr(SupervisedTrainer, "micro_batches", counted)


def in_the_loss(patch: Patch) -> None:
    patch.setattr(SupervisedTrainer, "compute_loss", mean_of_means)
    patch.setattr(SupervisedTrainer, "micro_batches", counted)


def in_the_count(patch: Patch) -> None:
    patch.setattr(SupervisedTrainer, "training_step", of_the_first)


MUTANTS = (
    Mutant("averages are averaged", in_the_loss, "train", "train.loss", "by hand it is"),
    Mutant("sums are averaged", in_the_gradient, "train", "train.loss", "gradients were taken of"),
    Mutant("one micro-batch is counted", in_the_count, "train", "train.loss", "was divided by"),
)
