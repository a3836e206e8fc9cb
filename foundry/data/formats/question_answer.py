"""Format `question-answer`: one question and one answer a row, with context if there is any."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from foundry.core.fields import Closed
from foundry.core.records import Turn
from foundry.data.draft import Draft
from foundry.data.rows import is_blank, text_of


class Spec(Closed):
    """Which columns hold what."""

    question: str = Field("question", min_length=1, description="Column with the question.")
    answer: str = Field("answer", min_length=1, description="Column with the answer to learn.")
    context: str | None = Field(
        None,
        min_length=1,
        description="Column with facts put before the question; an empty cell means none.",
    )


def columns(spec: Spec) -> tuple[str, ...]:
    """The columns that the data must have."""
    return tuple(name for name in (spec.question, spec.answer, spec.context) if name is not None)


def to_draft(row: Mapping[str, Any], spec: Spec) -> Draft:
    """The question, after its context and a blank line if there is one, and the answer.

    Raises:
        RowError: A column is missing or holds no text.
    """
    question = text_of(row, spec.question)
    context = "" if spec.context is None else text_of(row, spec.context, optional=True)
    if not is_blank(context) and not is_blank(question):
        question = f"{context}\n\n{question}"
    return Draft((Turn("user", question), Turn("assistant", text_of(row, spec.answer))))
