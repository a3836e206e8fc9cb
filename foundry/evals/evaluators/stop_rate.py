"""Evaluator `stop-rate`: the share of answers that end by themselves before the token limit."""

from pydantic import Field

from foundry.core.fields import Closed, Many


class Spec(Closed):
    """Which test parts to score."""

    parts: Many[str] | None = Field(
        None, description="Names of the test parts to score; all of them where absent."
    )
