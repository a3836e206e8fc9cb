"""Gradient accumulation averages the averages of its micro-batches (C13)."""

from typing import Any

from foundry.encode.tokenize import IGNORED
from foundry.train import supervised
from foundry.train.supervised import SupervisedTrainer
from tests.mutants.mutant import Mutant, Patch

correct = SupervisedTrainer.compute_loss
batches = SupervisedTrainer.get_batch_samples


def mean_of_means(self: Any, model: Any, inputs: Any, *rest: Any, **named: Any) -> Any:
    own = (inputs["labels"] != IGNORED).sum()
    loss = supervised.supervised_loss(model, inputs) / own
    loss = loss / self.args.gradient_accumulation_steps
    if self.model.training:
        self._count(inputs, loss, float(named["num_items_in_batch"]))
    return loss


def of_the_first(self: Any, *arguments: Any) -> Any:
    """What is divided by: the tokens of one micro-batch instead of the whole step's."""
    samples, _items = batches(self, *arguments)
    return samples, (samples[0]["labels"] != IGNORED).sum()


def in_the_gradient(patch: Patch) -> None:
    """The Trainer divides by the number of micro-batches what is a sum already."""
    patch.setattr(SupervisedTrainer, "loss_is_scaled_for_ga", False)


def in_the_loss(patch: Patch) -> None:
    patch.setattr(SupervisedTrainer, "compute_loss", mean_of_means)


def in_the_count(patch: Patch) -> None:
    patch.setattr(SupervisedTrainer, "get_batch_samples", of_the_first)


MUTANTS = (
    Mutant("averages are averaged", in_the_loss, "train", "train.loss", "by hand it is"),
    Mutant("sums are averaged", in_the_gradient, "train", "train.loss", "gradients were taken of"),
    Mutant("one micro-batch is counted", in_the_count, "train", "train.loss", "was divided by"),
)
