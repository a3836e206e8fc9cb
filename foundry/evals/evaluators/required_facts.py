"""Evaluator `required-facts`: the answer holds every fact its row requires and none it forbids."""

from pydantic import Field

from foundry.core.fields import Closed, Many


class Spec(Closed):
    """Where the facts stand."""

    required: str = Field(
        min_length=1,
        description="Column with the facts the answer must hold, separated by `|`.",
    )
    forbidden: str | None = Field(
        None,
        min_length=1,
        description="Column with texts the answer must not hold, separated by `|`.",
    )
    parts: Many[str] | None = Field(
        None, description="Names of the test parts to score; all of them where absent."
    )
