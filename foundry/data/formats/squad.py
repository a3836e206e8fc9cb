"""Format `squad`: a question about a passage, whose answer is a piece of it, as SQuAD and DRCD.

The first answer is learned; every accepted one stays in the row's fields for evaluators.

Source: Rajpurkar et al. (2016, 2018), https://rajpurkar.github.io/SQuAD-explorer/; Shao et al.
(2018), "DRCD", https://github.com/DRCKnowledgeTeam/DRCD.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from foundry.core.fields import Closed
from foundry.core.language import gettext as _
from foundry.core.records import Turn
from foundry.data.columns import ANSWERS, CONTEXT, IMPOSSIBLE, PLAUSIBLE, QUESTION, Columns
from foundry.data.draft import Draft
from foundry.data.rows import RowError, as_text, is_blank, text_of, type_name

NOT_IN_CONTEXT = "answer-not-in-context"


class Spec(Closed):
    """Which columns hold what, and what to say where the passage has no answer."""

    question: str = Field("question", min_length=1, description="Column with the question.")
    context: str = Field("context", min_length=1, description="Column with the passage.")
    answers: str = Field(
        "answers",
        min_length=1,
        description="Column with the accepted answers: a list of `{text: …}` or of texts, or "
        "`{text: [...]}`. The first is learned.",
    )
    decline: str | None = Field(
        None,
        min_length=1,
        description="Answer to learn where the passage has none; such a row is refused without it.",
    )


def columns(spec: Spec) -> tuple[str, ...]:
    """The columns that the data must have."""
    return (spec.question, spec.context, spec.answers)


def guess(sample: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Certain if there is one question, one passage, and a column of lists of answers."""
    columns = Columns(sample)
    question, context = columns.only(QUESTION), columns.only(CONTEXT)
    answers = columns.only(ANSWERS)
    if question is None or context is None or answers is None:
        return None
    used = [question, context, answers, IMPOSSIBLE, PLAUSIBLE]
    if columns.unexplained(used) or not columns.holds(answers, (list, dict)):
        return None
    return {"question": question, "context": context, "answers": answers}


def to_draft(row: Mapping[str, Any], spec: Spec) -> Draft:
    """The passage, a blank line and the question; the first answer, or the text that declines.

    Raises:
        RowError: A column is missing or of another shape, or there is no answer and no `decline`.
    """
    context, question = text_of(row, spec.context), text_of(row, spec.question)
    if is_blank(context):
        what = _("the passage is empty (field `{field}`)").format(field=spec.context)
        raise RowError("empty-context", what)
    texts = [text for text in _texts(row, spec) if not is_blank(text)]
    answer = texts[0] if texts and not _is_impossible(row) else spec.decline
    if answer is None:
        what = _("the passage has no answer; with `decline` the recipe may say what to answer")
        raise RowError("unanswerable", what)
    asked = question if is_blank(question) else f"{context}\n\n{question}"
    found = answer in context or answer == spec.decline
    return Draft(
        (Turn("user", asked), Turn("assistant", answer)),
        notices=() if found else ((NOT_IN_CONTEXT, answer),),
    )


def _texts(row: Mapping[str, Any], spec: Spec) -> list[str]:
    if spec.answers not in row:
        text_of(row, spec.answers)  # refuses the row with the names there are
    value = row[spec.answers]
    if isinstance(value, Mapping):
        value = value.get("text")
    if value is None:
        return []
    if not isinstance(value, list):
        what = _("field `{field}`: found {found}, expected a list of answers")
        raise RowError("type", what.format(field=spec.answers, found=type_name(value)))
    inner = [item.get("text") if isinstance(item, Mapping) else item for item in value]
    return [as_text(item, spec.answers) for item in inner]


def _is_impossible(row: Mapping[str, Any]) -> bool:
    value = row.get(IMPOSSIBLE)
    return value is True or (isinstance(value, str) and value.strip().casefold() == "true")
