"""A record is strict JSON that fits its schema, in the schema's order, with its own digits."""

import json

import pytest
from pydantic import ValidationError

from foundry.data import record_schema
from foundry.data.formats.extraction import Spec, to_draft
from foundry.data.rows import JsonNumber, RowError

SCHEMA = {
    "type": "object",
    "properties": {
        "品名": {"type": "string"},
        "價": {"type": "number"},
        "規格": {"type": "object", "properties": {"長": {}, "寬": {}}},
        "標籤": {"type": ["array", "null"], "items": {"type": "string"}},
    },
    "required": ["品名", "價"],
    "additionalProperties": False,
}


def answer(row, **settings):
    return to_draft({"text": "電鍋", **row}, Spec.model_validate(settings)).turns[1].content


def refusal(row, **settings):
    with pytest.raises(RowError) as error:
        answer(row, **settings)
    return error.value.code, error.value.reason


def test_keys_come_in_the_order_of_the_schema_at_every_depth():
    record = {
        "價": JsonNumber("12.50"),
        "規格": {"寬": JsonNumber("1"), "長": JsonNumber("2")},
        "品名": "電鍋",
    }

    text = answer({"record": record}, record="record", json_schema=SCHEMA)

    assert text == '{"品名": "電鍋", "價": 12.50, "規格": {"長": 2, "寬": 1}}'


def test_record_as_json_text_is_the_same_as_an_object():
    text = '{"價":1e3,\n "品名":"\\u96fb\\u934b"}'

    assert answer({"r": text}, record="r") == '{"價": 1e3, "品名": "電鍋"}'


def test_cells_of_a_table_become_what_the_schema_wants():
    row = {"品名": "007", "價": "0012", "標籤": '["新"]'}
    settings = {"fields": ["品名", "標籤", "價"], "json_schema": SCHEMA}

    assert refusal(row, **settings)[0] == "schema"  # 0012 is no JSON number
    assert answer({**row, "價": "12.0"}, **settings) == (
        '{"品名": "007", "價": 12.0, "標籤": ["新"]}'
    )


def test_blank_cell_is_null_or_no_field_at_all():
    row = {"品名": "電鍋", "價": JsonNumber("1"), "標籤": "", "規格": ""}
    fields = ["品名", "價", "標籤", "規格"]

    with_schema = answer(row, fields=fields, json_schema=SCHEMA)
    without = answer(row, fields=fields)

    assert json.loads(with_schema) == {"品名": "電鍋", "價": 1, "標籤": None}
    assert json.loads(without) == {"品名": "電鍋", "價": 1, "標籤": None, "規格": None}


@pytest.mark.parametrize(
    ("record", "told"),
    [
        ({"品名": "電鍋"}, "價"),
        ({"品名": "電鍋", "價": "12"}, "價: "),
        ({"品名": "電鍋", "價": JsonNumber("1"), "色": "白"}, "色"),
    ],
)
def test_record_that_does_not_fit_is_refused_with_the_place(record, told):
    code, reason = refusal({"record": record}, record="record", json_schema=SCHEMA)

    assert code == "schema"
    assert told in reason


@pytest.mark.parametrize(
    "record",
    ["", None, "[]", "{", '{"a": 1, "a": 2}', '{"a": NaN}', ["a"], {"a": JsonNumber("1e999")}],
)
def test_what_is_no_json_object_is_refused(record):  # C56
    assert refusal({"record": record}, record="record")[0] == "record"


def test_absent_column_is_refused():
    assert refusal({}, record="record")[0] == "missing-field"
    assert refusal({"a": "1"}, fields=["a", "b"])[0] == "missing-field"


def test_reference_out_of_the_schema_is_never_fetched():
    schema = {"properties": {"a": {"$ref": "https://example.invalid/schema"}}}

    code, reason = refusal({"record": {"a": "1"}}, record="record", json_schema=schema)

    assert code == "record"
    assert "https://example.invalid/schema" in reason


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"record": "r", "fields": ["a"]},
        {"record": "r", "json_schema": {"type": "text"}},
        {"record": "r", "json_schema": {"properties": []}},
    ],
)
def test_settings_that_make_no_record_are_refused(settings):
    with pytest.raises(ValidationError):
        Spec.model_validate(settings)


@pytest.mark.parametrize("kinds", [["string", "null"], "string"])
def test_schema_of_a_field_may_refer_to_the_whole_document(kinds):
    schema = {
        "properties": {"名": {"$ref": "#/$defs/name"}, "價": {"type": "number"}},
        "$defs": {"name": {"type": kinds}},
    }
    settings = {"fields": ["名", "價"], "json_schema": schema}

    assert answer({"名": "電鍋", "價": "1"}, **settings) == '{"名": "電鍋", "價": 1}'
    expected = '{"價": 1}' if kinds == "string" else '{"名": null, "價": 1}'
    assert answer({"名": "", "價": "1"}, **settings) == expected


def test_schema_of_a_field_may_be_true_or_false():
    schema = {"properties": {"a": True, "b": False}}
    settings = {"fields": ["a", "b"], "json_schema": schema}

    assert answer({"a": "12", "b": ""}, **settings) == '{"a": "12"}'
    assert answer({"a": "", "b": ""}, **settings) == '{"a": null}'
    assert refusal({"a": "1", "b": "2"}, **settings)[0] == "schema"


def test_schema_is_made_ready_once_for_all_rows(monkeypatch):
    made = []
    ready = record_schema.RecordSchema.__init__
    monkeypatch.setattr(
        record_schema.RecordSchema,
        "__init__",
        lambda self, document: (made.append(document), ready(self, document))[1],
    )
    spec = Spec.model_validate({"record": "record", "json_schema": SCHEMA})

    for price in "123":
        record = {"品名": "電鍋", "價": JsonNumber(price)}
        to_draft({"text": "電鍋", "record": record}, spec)

    assert made == [SCHEMA]
    assert "schema_of_record" not in spec.model_dump()
