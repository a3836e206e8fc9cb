"""JSON in a cell is read as strictly as the file, and its numbers come out as written."""

import json
import re

import pytest

from foundry.data.rows import DEEPEST, JsonNumber
from foundry.data.strict_json import JsonFault, parse, plain


@pytest.mark.parametrize("text", ["1", "1.0", "-3", "0.5", "12345678901234567890123", "1e+16"])
def test_number_is_printed_as_it_was_written(text):  # C48, C51
    respelled = []

    assert json.dumps(plain(parse(f"[{text}]"), respelled)) == f"[{text}]"
    assert respelled == []


@pytest.mark.parametrize(("text", "printed"), [("1.50", "1.5"), ("1e5", "100000.0"), ("-0", "0")])
def test_number_of_another_spelling_keeps_its_value_and_is_told(text, printed):
    respelled = []

    assert json.dumps(plain(JsonNumber(text), respelled)) == printed
    assert respelled == [text]


@pytest.mark.parametrize(
    "text", ["1e999", "0.12345678901234567890123", "1e99999999999999999999", "9" * 5000]
)
def test_number_that_would_change_is_a_fault(text):
    with pytest.raises(JsonFault, match="cannot be kept exactly"):
        plain(JsonNumber(text), [])


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('{"a": 1, "a": 2}', "the key `a` occurs twice"),
        ("NaN", "`NaN` is not a JSON number"),
        ("[-Infinity]", "`-Infinity` is not a JSON number"),
        ('{"city":', "not valid JSON at character 9"),
        ('{"a": 1} {"b": 2}', "not valid JSON at character 10"),
        ("", "not valid JSON at character 1"),
        ("{'a': 1}", "not valid JSON at character 2"),
        ("[" * 100_000, "nested more than 64 deep"),
    ],
)
def test_text_that_is_not_one_json_value_is_a_fault(text, what):  # C56
    with pytest.raises(JsonFault) as fault:
        parse(text)

    assert what in str(fault.value)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('{"a": ["\\ud83d"]}', "surrogate"),
        ('[{"\\udc4d": 1}]', "surrogate"),
        ('["a\\u0000b"]', "a NUL character"),
    ],
)
def test_text_that_no_row_may_hold_is_a_fault(text, what):  # C60
    with pytest.raises(JsonFault, match=what):
        parse(text)


def test_what_is_wrong_is_said_in_the_language_of_the_reader(monkeypatch):
    monkeypatch.setenv("FOUNDRY_LANG", "zh_TW")

    with pytest.raises(JsonFault) as fault:
        parse('{"城市": }')

    assert not re.search("[a-z]", str(fault.value))


def test_mark_in_front_is_no_part_of_the_value():  # C44
    assert parse("\ufeff[true]") == [True]


def test_depth_is_bounded():
    deepest = "[" * DEEPEST + "]" * DEEPEST

    assert plain(parse(deepest), []) == json.loads(deepest)
    with pytest.raises(JsonFault, match="nested"):
        plain(parse(f"[[{deepest}]]"), [])
