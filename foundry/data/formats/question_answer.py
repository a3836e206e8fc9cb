"""Format `question-answer`: one question and one answer a row, with context if there is any."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from foundry.core.fields import Closed
from foundry.core.records import Turn
from foundry.data.columns import ANSWER, CONTEXT, QUESTION, SYSTEM, Columns
from foundry.data.draft import Draft
from foundry.data.rows import SCALAR, is_blank, text_of


class Spec(Closed):
    """Which columns hold what."""

    question: str = Field("question", min_length=1, description="Column with the question.")
    answer: str = Field("answer", min_length=1, description="Column with the answer to learn.")
    context: str | None = Field(
        None,
        min_length=1,
        description="Column with facts put before the question; an empty cell means none.",
    )
    system: str | None = Field(
        None, min_length=1, description="Column with a system text of the row's own."
    )


def columns(spec: Spec) -> tuple[str, ...]:
    """The columns that the data must have."""
    wanted = (spec.question, spec.answer, spec.context, spec.system)
    return tuple(name for name in wanted if name is not None)


def guess(sample: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Certain if one column is a question, one an answer, and no other could be facts."""
    columns = Columns(sample)
    question, answer = columns.only((*QUESTION, "input")), columns.only(ANSWER)
    optional = {"context": columns.named(CONTEXT), "system": columns.named(SYSTEM)}
    if question is None or answer is None or any(len(c) > 1 for c in optional.values()):
        return None
    if not all(columns.holds(column, SCALAR) for column in (question, answer)):
        return None
    named = {field: found[0] for field, found in optional.items() if found}
    if columns.unexplained([question, answer, *named.values()]):
        return None
    return {"question": question, "answer": answer, **named}


def to_draft(row: Mapping[str, Any], spec: Spec) -> Draft:
    """The system text if there is one, the question after its context, and the answer.

    Raises:
        RowError: A column is missing or holds no text.
    """
    question = text_of(row, spec.question)
    context = "" if spec.context is None else text_of(row, spec.context, optional=True)
    system = "" if spec.system is None else text_of(row, spec.system, optional=True)
    if not is_blank(context) and not is_blank(question):
        question = f"{context}\n\n{question}"
    turns = Turn("user", question), Turn("assistant", text_of(row, spec.answer))
    return Draft(turns if is_blank(system) else (Turn("system", system), *turns))
