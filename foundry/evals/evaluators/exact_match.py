"""Evaluator `exact-match`: the share of answers equal to the reference."""

from pydantic import Field

from foundry.core.fields import Closed, Many


class Spec(Closed):
    """Which test parts to score."""

    parts: Many[str] | None = Field(
        None, description="Names of the test parts to score; all of them where absent."
    )
