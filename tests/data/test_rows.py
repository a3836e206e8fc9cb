"""What is text, and what a value becomes where text is wanted."""

import pytest

from foundry.data.rows import JsonNumber, RowError, as_text, is_blank, kept_text, text_of


@pytest.mark.parametrize(
    ("value", "text"),
    [("4", "4"), (JsonNumber("4"), "4"), (JsonNumber("1.0"), "1.0"), (True, "true"), (None, "")],
)
def test_scalar_becomes_its_source_text(value, text):  # C51
    assert as_text(value, "output") == text


@pytest.mark.parametrize(("value", "found"), [(["4"], "a list"), ({"a": "4"}, "an object")])
def test_list_and_object_are_no_text(value, found):  # C51
    with pytest.raises(RowError) as error:
        text_of({"output": value}, "output")

    assert error.value.code == "type"
    assert error.value.reason == f"field `output`: found {found}, expected text"


def test_absent_field_is_refused_with_the_names_there_are():
    with pytest.raises(RowError, match="no field `answer`; the row has: question, reply"):
        text_of({"question": "問", "reply": "答"}, "answer")


def test_absent_optional_field_is_empty():
    assert text_of({"question": "問"}, "context", optional=True) == ""


@pytest.mark.parametrize("value", [None, "", "  ", "\u3000", "\ufeff "])
def test_space_of_any_kind_is_blank(value):  # C50
    assert is_blank(value)


@pytest.mark.parametrize("value", ["nan", "0", "null", False, JsonNumber("0"), []])
def test_written_value_is_not_blank(value):  # C50
    assert not is_blank(value)


def test_mark_in_front_of_a_text_is_dropped():  # C44
    assert as_text("\ufeff問\ufeff", "question") == "問\ufeff"


def test_nested_value_is_kept_as_json_with_its_own_digits():
    value = [{"價": JsonNumber("1.0"), "有": True}, None, 'a"b']

    assert kept_text(value) == '[{"價": 1.0, "有": true}, null, "a\\"b"]'
