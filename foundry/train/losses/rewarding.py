"""What an answer drawn in training is worth: the rewards of a recipe, each by its weight.

A reward is a program on this machine that looks at the answer and at the row that asked for it;
nothing is sent anywhere and no model judges.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from foundry.core import plugins
from foundry.core.blocks import Block
from foundry.core.fields import Closed, Number
from foundry.core.records import Example


class RewardSpec(Closed):
    """What every reward may be told: how much it counts beside the others."""

    weight: Number = Field(
        1.0, gt=0, description="How much the reward counts; the total is the weighted sum."
    )


@dataclass(frozen=True)
class Said:
    """An answer that was drawn; `stopped` says that the model ended it before the token limit.

    `tokens` counts the end too.
    """

    text: str
    tokens: int
    stopped: bool


@dataclass(frozen=True)
class Reward:
    """A reward of a recipe."""

    kind: str
    spec: Any

    @property
    def weight(self) -> float:
        """How much it counts."""
        return float(self.spec.weight)

    def of(self, example: Example, said: Said) -> float | None:
        """What the answer to an example is worth before weighing; None where it cannot be told."""
        worth: float | None = plugins.load("reward", self.kind).reward(example, said, self.spec)
        return worth


def rewards_of(blocks: Sequence[Block]) -> tuple[Reward, ...]:
    """The rewards that a recipe lists, in its order."""
    return tuple(Reward(block.kind, block.spec) for block in blocks)


def total(rewards: Sequence[Reward], example: Example, said: Said) -> float | None:
    """The weighted sum over the rewards that apply to the example; None where none does."""
    found = [(one.weight, one.of(example, said)) for one in rewards]
    worth = [weight * value for weight, value in found if value is not None]
    return sum(worth) if worth else None
