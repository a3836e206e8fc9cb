"""Format `classification`: a text, and the label that is its answer."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from foundry.core.fields import Closed, Many
from foundry.core.language import gettext as _
from foundry.core.records import Turn
from foundry.data.columns import ANSWER, CLASSIFIED, LABEL, Columns
from foundry.data.draft import Draft
from foundry.data.rows import SCALAR, RowError, is_blank, text_of


class Spec(Closed):
    """Which columns hold what, and which labels there are."""

    text: str = Field("text", min_length=1, description="Column with the text.")
    label: str = Field("label", min_length=1, description="Column with the label, the answer.")
    labels: Many[str] | None = Field(
        None,
        min_length=1,
        description="The labels there are; a row with another is refused. Any label where absent.",
    )


def columns(spec: Spec) -> tuple[str, ...]:
    """The columns that the data must have."""
    return (spec.text, spec.label)


def guess(sample: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Certain if one column is a text and one a label in words: a number says no class."""
    columns = Columns(sample)
    text, label = columns.only(CLASSIFIED), columns.only(LABEL)
    if text is None or label is None or columns.named(ANSWER):
        return None
    if not columns.holds(text, SCALAR) or not columns.most(lambda row: _is_word(row.get(label))):
        return None
    if len(columns.named(LABEL)) > 1 or columns.unexplained([text, label], but=LABEL):
        return None
    return {"text": text, "label": label}


def to_draft(row: Mapping[str, Any], spec: Spec) -> Draft:
    """The text and its label.

    Raises:
        RowError: A column is missing or holds no text, or the label is none of those there are.
    """
    label = text_of(row, spec.label)
    if is_blank(label):
        raise RowError(
            "no-label", _("the label is empty (field `{field}`)").format(field=spec.label)
        )
    if spec.labels is not None and label not in spec.labels:
        what = _("`{label}` is none of the labels of the recipe")
        raise RowError("unknown-label", what.format(label=label))
    return Draft((Turn("user", text_of(row, spec.text)), Turn("assistant", label)))


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and not is_blank(value) and not value.strip().isdigit()
