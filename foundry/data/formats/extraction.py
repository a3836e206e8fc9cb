"""Format `extraction`: a text, and the record to draw from it as JSON.

The record is one column of JSON, or columns that are its fields. The answer is strict JSON on one
line, its keys in the order of the schema where there is one, its numbers as they were written. A
record that does not fit the schema refuses the row. A schema is given in the recipe itself, so
that the recipe stays the whole of what decides a run; `$ref` to another place is not followed.

Source of the schema language: https://json-schema.org/draft/2020-12.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from foundry.core.fields import Closed, Many, Refused
from foundry.core.language import gettext as _
from foundry.core.records import Turn
from foundry.data.columns import DOCUMENT, RECORD, Columns
from foundry.data.draft import Draft
from foundry.data.record_schema import RecordSchema, check, in_order, typed
from foundry.data.rows import RowError, is_blank, kept_text, text_of, type_name
from foundry.data.strict_json import JsonFault, parse, plain

Column = Annotated[str, Field(min_length=1)]


class Spec(Closed):
    """Which columns hold what, and what a record looks like."""

    text: Column = Field("text", description="Column with the text.")
    record: Column | None = Field(
        None, description="Column with the record: an object, or JSON text."
    )
    fields: Many[Column] = Field(
        (), description="Columns that are the record's fields, in place of `record`."
    )
    json_schema: Mapping[str, Any] | None = Field(
        None, description="JSON Schema (2020-12) that every record must fit."
    )

    @model_validator(mode="after")
    def _has_record(self) -> Self:
        if (self.record is None) == (not self.fields):
            what = _("the record needs one column or several, not both")
            raise Refused(what, _("give either `record` or `fields`"))
        if self.json_schema is not None:
            check(self.json_schema)
        return self

    @cached_property
    def schema_of_record(self) -> RecordSchema:
        """`json_schema` made ready once for all rows; without one, any record fits."""
        return RecordSchema(self.json_schema or {})


def columns(spec: Spec) -> tuple[str, ...]:
    """The columns that the data must have."""
    return (spec.text, *((spec.record,) if spec.record is not None else spec.fields))


def guess(sample: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Certain if one column is a text and one holds JSON objects."""
    columns = Columns(sample)
    text, record = columns.only(DOCUMENT), columns.only(RECORD)
    if text is None or record is None or columns.unexplained([text, record]):
        return None
    if not columns.holds(text, str) or not columns.holds(record, dict):
        return None
    return {"text": text, "record": record}


def to_draft(row: Mapping[str, Any], spec: Spec) -> Draft:
    """The text, and the record as JSON.

    Raises:
        RowError: A column is missing, the record is no JSON object, or does not fit the schema.
    """
    text = text_of(row, spec.text)
    schema = spec.schema_of_record
    try:
        record = _fields(row, spec) if spec.record is None else _object(row, spec.record)
        record = in_order(record, schema.document)
        fault = schema.fault_of(plain(record, []))
    except JsonFault as error:
        raise RowError("record", _("the record: {fault}").format(fault=error)) from error
    if fault:
        what = _("the record does not fit the schema: {fault}")
        raise RowError("schema", what.format(fault=fault))
    return Draft((Turn("user", text), Turn("assistant", kept_text(record))))


def _object(row: Mapping[str, Any], column: str) -> Mapping[str, Any]:
    if column not in row:
        text_of(row, column)  # refuses the row with the names there are
    value = row[column]
    found = parse(value) if isinstance(value, str) else value
    if not isinstance(found, Mapping):
        raise JsonFault(_("found {found}, expected an object").format(found=type_name(found)))
    return found


def _fields(row: Mapping[str, Any], spec: Spec) -> Mapping[str, Any]:
    """The record made of columns: a blank cell is null, or no field where that may not be null."""
    schema, record = spec.schema_of_record, {}
    for column in spec.fields:
        if column not in row:
            text_of(row, column)
        value = row[column]
        if not is_blank(value):
            record[column] = typed(value, schema.field(column))
        elif schema.fault_of_field(column, None) is None:
            record[column] = None
    return record
