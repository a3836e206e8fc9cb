"""Reward `exact-answer`: 1 for an answer equal to the row's, else 0.

Compared as the evaluator `exact-match` compares: width, case, spaces, commas and the punctuation at
the end do not count (`foundry.data.normalising.bare`).
"""

from foundry.core.records import Example
from foundry.data.normalising import bare
from foundry.train.losses.rewarding import RewardSpec, Said


class Spec(RewardSpec):
    """How much an answer equal to the row's counts."""


def reward(example: Example, said: Said, spec: Spec) -> float | None:
    """1.0 or 0.0."""
    return float(bare(said.text) == bare(example.answer))
