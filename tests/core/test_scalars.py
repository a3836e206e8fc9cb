"""Unquoted words mean what YAML 1.2 says, not what PyYAML says (C62)."""

import math

import pytest

from foundry.core import scalars


@pytest.mark.parametrize("text", ["1e-4", "1.0e-4", "0.0001", "+1E-4", ".1e-3", "1.e-4"])
def test_every_spelling_of_a_small_number_is_that_number(text):
    assert scalars.read(text) == 0.0001


@pytest.mark.parametrize("text", ["no", "yes", "on", "off", "y", "n", "No", "tRUE"])
def test_words_other_than_true_and_false_are_text(text):
    assert scalars.read(text) == text


@pytest.mark.parametrize(
    ("text", "value"),
    [("010", 10), ("0o10", 8), ("0x1F", 31), ("-3", -3), ("", None), ("~", None), ("Null", None)],
)
def test_whole_numbers_and_nothing(text, value):
    assert scalars.read(text) == value


@pytest.mark.parametrize("text", ["1_000", "12:30:45", "1e", "0b1", "１", "2026-01-01", "nan"])
def test_what_yaml_1_1_takes_for_a_number_or_date_is_text(text):
    assert scalars.read(text) == text


def test_infinity_and_nan_have_a_dot():
    assert scalars.read("-.inf") == -math.inf
    assert math.isnan(scalars.read(".nan"))


def test_number_of_thousands_of_digits_is_text():
    assert scalars.read("9" * 5000) == "9" * 5000


@pytest.mark.parametrize(
    "value",
    [
        *("a", "", " a", "a ", "a: b", "a #b", "- a", "null", "1e-4", "店", "{a}", "a\nb", '"'),
        *("1.0.0", "不在本店", "a,b", "true", "!x", "&x", "*x", "customer-service/a.csv", "=", "?"),
        *(0, -7, 0.0001, 2e-5, 32.0, 1e300, 1e-300, True, False, None),
    ],
)
def test_what_is_written_reads_back(value):
    read = scalars.read(scalars.write(value)) if not isinstance(value, str) else _text(value)

    assert (read, type(read)) == (value, type(value))


def _text(value):
    """A text as a YAML reader sees it, quoted or not."""
    from foundry.core.errors import Place
    from foundry.core.yaml_places import read

    document = f"key: {scalars.write(value)}\n"
    return read(document, lambda line, column: Place("f", line, column))[0].at("key").plain()
