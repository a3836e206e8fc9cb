"""Format `auto`: the one that is certain to read the rows, by their columns and what they hold.

Guessed for each file in `foundry/data/guess.py`; a file that leaves a doubt is refused with the
formats that might be meant, ready to paste into the recipe.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from foundry.core.fields import Closed
from foundry.data.draft import Draft


class Spec(Closed):
    """Nothing to set: the columns decide."""


def columns(spec: Spec) -> tuple[str, ...]:
    """None: which columns there must be is known after the guess."""
    return ()


def guess(sample: Sequence[Mapping[str, Any]]) -> None:
    """Never a result of its own."""


def to_draft(row: Mapping[str, Any], spec: Spec) -> Draft:
    """Never called: `foundry.data.guess.resolve` puts the format in its place."""
    raise RuntimeError("format `auto` reads no rows; resolve it first")
