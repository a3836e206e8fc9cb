"""Exporter `gguf-adapter`: the adapter alone as GGUF, for llama.cpp's `--lora`."""

from typing import Literal

from pydantic import Field

from foundry.core.fields import Closed


class Spec(Closed):
    """How the update is stored."""

    dtype: Literal["f32", "f16"] = Field("f32", description="Type of the stored update.")
