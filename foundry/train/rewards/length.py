"""Reward `length`: nothing is taken off a short answer, and up to 1 off a long one.

With n tokens, the end among them: 0 up to `free_tokens`, then falling evenly, and -1 from
`max_tokens` on. Source: Yu et al. (2025), "DAPO", equation 13 (soft overlong punishment),
https://arxiv.org/abs/2503.14476.
"""

from typing import Self

from pydantic import Field, model_validator

from foundry.core.fields import Refused
from foundry.core.language import gettext as _
from foundry.core.records import Example
from foundry.train.losses.rewarding import RewardSpec, Said


class Spec(RewardSpec):
    """Between which lengths the reward falls."""

    free_tokens: int = Field(ge=1, description="Tokens up to which nothing is taken off.")
    max_tokens: int = Field(ge=2, description="Tokens from which on the whole of 1 is taken off.")

    @model_validator(mode="after")
    def _falls(self) -> Self:
        if self.free_tokens >= self.max_tokens:
            what = _("`free_tokens` must be less than `max_tokens` ({most}); got {found}")
            raise Refused(
                what.format(most=self.max_tokens, found=self.free_tokens),
                _("set `free_tokens: {fits}`").format(fits=max(1, self.max_tokens // 2)),
            )
        return self


def reward(example: Example, said: Said, spec: Spec) -> float | None:
    """-1.0 to 0.0."""
    over = (said.tokens - spec.free_tokens) / (spec.max_tokens - spec.free_tokens)
    return -min(1.0, max(0.0, over))
