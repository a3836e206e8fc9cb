"""Format `instruction`: an instruction, perhaps an input, and the output, as in Alpaca.

Source: Taori et al. (2023), "Stanford Alpaca", https://github.com/tatsu-lab/stanford_alpaca.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from foundry.core.fields import Closed
from foundry.core.records import Turn
from foundry.data.draft import Draft
from foundry.data.rows import is_blank, text_of


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


def columns(spec: Spec) -> tuple[str, ...]:
    """The columns that the data must have; `input` only where the recipe itself names it."""
    named_input = spec.input if "input" in spec.model_fields_set else None
    wanted = (spec.instruction, spec.output, named_input, spec.system)
    return tuple(name for name in wanted if name is not None)


def to_draft(row: Mapping[str, Any], spec: Spec) -> Draft:
    """The system text if there is one, the instruction with its input below, and the output.

    Raises:
        RowError: A column is missing or holds no text.
    """
    asked = [text_of(row, spec.instruction)]
    if spec.input is not None:
        asked.append(text_of(row, spec.input, optional=True))
    system = "" if spec.system is None else text_of(row, spec.system, optional=True)
    question = "\n\n".join(text for text in asked if not is_blank(text))
    turns = Turn("user", question), Turn("assistant", text_of(row, spec.output))
    return Draft(turns if is_blank(system) else (Turn("system", system), *turns))
