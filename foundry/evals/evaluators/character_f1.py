"""Evaluator `character-f1`: overlap of the answer's characters with the reference's."""

from pydantic import Field

from foundry.core.fields import Closed, Many


class Spec(Closed):
    """Which test parts to score."""

    parts: Many[str] | None = Field(
        None, description="Names of the test parts to score; all of them where absent."
    )
