"""Evaluator `declines`: the share of out-of-scope questions the model declines to answer."""

from pydantic import Field

from foundry.core.fields import Closed, Many


class Spec(Closed):
    """What counts as declining, and where it is wanted."""

    phrases: Many[str] = Field(
        min_length=1, description="An answer that holds one of these declines."
    )
    part: str = Field(
        min_length=1, description="Name of the test part whose questions are to be declined."
    )
