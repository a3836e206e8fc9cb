"""Format `question-answer`: one question and one answer a row, with context if there is any."""

from pydantic import Field

from foundry.core.fields import Closed


class Spec(Closed):
    """Which columns hold what."""

    question: str = Field("question", min_length=1, description="Column with the question.")
    answer: str = Field("answer", min_length=1, description="Column with the answer to learn.")
    context: str | None = Field(
        None,
        min_length=1,
        description="Column with facts put before the question; an empty cell means none.",
    )
