"""Format `instruction`: an instruction, perhaps an input, and the output, as in Alpaca.

Source: Taori et al. (2023), "Stanford Alpaca", https://github.com/tatsu-lab/stanford_alpaca.
"""

from pydantic import Field

from foundry.core.fields import Closed


class Spec(Closed):
    """Which columns hold what."""

    instruction: str = Field(
        "instruction", min_length=1, description="Column with the instruction."
    )
    input: str | None = Field(
        "input",
        min_length=1,
        description="Column with the text the instruction is about; `null` where there is none.",
    )
    output: str = Field("output", min_length=1, description="Column with the answer to learn.")
    system: str | None = Field(
        None, min_length=1, description="Column with a system text of the row's own."
    )
