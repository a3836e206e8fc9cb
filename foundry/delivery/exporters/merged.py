"""Exporter `merged`: base and adapter as one model, in the layout of transformers."""

from typing import Literal

from pydantic import Field

from foundry.core.fields import Closed


class Spec(Closed):
    """How the weights are stored."""

    dtype: Literal["float32", "bfloat16"] = Field(
        "float32", description="Type of the stored weights; bfloat16 halves size and precision."
    )
