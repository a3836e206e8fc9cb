"""Exporter `gguf`: base and adapter merged into one file that llama.cpp runs."""

from typing import Literal

from pydantic import Field

from foundry.core.fields import Closed


class Spec(Closed):
    """How the weights are stored."""

    quantization: Literal["q8_0", "f16"] = Field(
        "q8_0",
        description="Storage of the large matrices: q8_0 is 8.5 bits a weight, f16 is 16.",
    )
