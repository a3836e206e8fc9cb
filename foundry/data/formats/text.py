"""Format `text`: a row is a text to go on learning from, without question or answer."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from foundry.core.fields import Closed
from foundry.core.language import gettext as _
from foundry.data.columns import LABEL, TEXT, Columns
from foundry.data.draft import Draft
from foundry.data.rows import SCALAR, RowError, is_blank, text_of


class Spec(Closed):
    """Which column holds the text."""

    text: str = Field("text", min_length=1, description="Column with the text, kept as it stands.")


def columns(spec: Spec) -> tuple[str, ...]:
    """The columns that the data must have."""
    return (spec.text,)


def guess(sample: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Certain if one column is a text and the others only describe it, and none is a label."""
    columns = Columns(sample)
    text = columns.only(TEXT)
    if text is None or not columns.holds(text, SCALAR):
        return None
    return None if columns.unexplained([text], but=LABEL) else {"text": text}


def to_draft(row: Mapping[str, Any], spec: Spec) -> Draft:
    """The text as it stands.

    Raises:
        RowError: The column is missing, blank, or holds no text.
    """
    text = text_of(row, spec.text)
    if is_blank(text):
        raise RowError(
            "empty-text", _("the text is empty (field `{field}`)").format(field=spec.text)
        )
    return Draft(text=text)
