"""Refuse, before training, evaluators that do not fit the test rows, such as a misspelt column."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from foundry.core.blocks import Block
from foundry.data.prepare import read_examples
from foundry.evals.answers import Item
from foundry.evals.brought import brought_by, of_rows
from foundry.evals.metrics import metrics_of
from foundry.evals.unmeasured import measures_nothing


def check_fit(evals: Sequence[Block], tests: Mapping[str, Path]) -> None:
    """Refuse what the evaluation after training would refuse.

    Evaluators whose questions are training rows are left to it; `check_brought` has seen these.

    Args:
        evals: The recipe's evaluators.
        tests: The file of each test part, by its name.

    Raises:
        RecipeError: See `metrics_of`.
    """
    later = of_rows(evals)
    known = [block for block in evals if block not in later]
    items = [Item(row, part) for part, file in tests.items() for row in read_examples(file)]
    if not measures_nothing(known, items):
        brought = [item for one in brought_by(known) for item in one.items]
        metrics_of(known, [*items, *brought])
