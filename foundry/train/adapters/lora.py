"""Adapter `lora`: a trained low-rank update beside each frozen linear layer.

Source: Hu et al. (2021), "LoRA: Low-Rank Adaptation of Large Language Models",
https://arxiv.org/abs/2106.09685.
"""

from typing import Literal

from pydantic import Field

from foundry.core.fields import Closed, Many, Number


class Spec(Closed):
    """Size and places of the update."""

    rank: int = Field(
        16, ge=1, le=1024, description="Inner width of the update; more learns more and costs more."
    )
    alpha: Number = Field(
        32.0,
        gt=0,
        description="The update is multiplied by alpha / rank (alpha / sqrt(rank) if stabilized).",
    )
    dropout: Number = Field(
        0.0, ge=0, lt=1, description="Share of the update's inputs dropped in training, 0 to 1."
    )
    target_modules: Literal["all-linear"] | Many[str] = Field(
        "all-linear",
        description="Layers that get an update: `all-linear`, or names such as [q_proj, v_proj].",
    )
    rank_stabilized: bool = Field(
        False,
        description="Scale by alpha / sqrt(rank), which lets high ranks learn "
        "(rsLoRA, https://arxiv.org/abs/2312.03732).",
    )
