"""A JSON file's content decides its shape, and nothing that `json` lets pass comes through."""

import json

import pytest

from foundry.core.errors import DataError
from foundry.data.json_rows import read_rows
from foundry.data.reading import read
from foundry.data.rows import Bad, Blank, JsonNumber, Row

THREE = [{"q": f"問{n}", "a": "答\n好"} for n in range(3)]
LINES = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in THREE)
SHAPES = {
    "lines": LINES,
    "no final line end": LINES.rstrip("\n"),
    "windows line ends": LINES.replace("\n", "\r\n"),
    "array": json.dumps(THREE),
    "array over lines": json.dumps(THREE, indent=2),
    "array with a row a line": "[\n" + ",\n".join(LINES.splitlines()) + "\n]\n",
    "objects over lines": "\n".join(json.dumps(row, indent=2) for row in THREE),
    "wrapped": json.dumps({"data": THREE}),
    "wrapped over lines": json.dumps({"version": "1", "data": THREE, "n": [3]}, indent=1),
}


def items(path):
    return list(read(path).items)


@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
@pytest.mark.parametrize("shape", SHAPES)
def test_shape_does_not_matter_nor_does_the_suffix(file, shape, suffix):  # C54
    path = file(f"rows{suffix}", SHAPES[shape])

    assert [item.values for item in items(path)] == THREE


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        ('{"q": "a"}\n\n{"q": "b"}\n', [1, 2, 3]),
        ('\n[\n  {\n "q": "a"},\n\n  {"q": "b"}]', [3, 6]),
        ('{"about": {"data": 1},\n "data":\n [{"q": "a"},\n {"q": "b"}]}', [3, 4]),
        ('{\n"q": "a"\n}\n{\n"q": "b"\n}\n', [1, 4]),
        ('[\n{"q": "a"}\n]\n', [2]),
    ],
)
def test_line_is_where_the_row_begins(file, content, lines):
    assert [item.line for item in items(file("a.json", content))] == lines


def test_blank_lines_are_counted_apart(file):  # C50
    assert items(file("a.jsonl", '{"q": "a"}\n \n'))[1] == Blank(2)


@pytest.mark.parametrize(
    "content", [LINES[:-9], LINES + '{"q": "問', LINES + '{"q": "問",', LINES + "{"]
)
def test_truncated_last_line_is_refused_by_its_line(file, content):  # C54
    *whole, last = items(file("a.jsonl", content))

    assert all(isinstance(item, Row) for item in whole)
    assert (last.line, last.code) == (content.count("\n") + 1, "json-syntax")
    assert "cut off" in last.reason


def test_one_bad_line_of_many_is_named_and_the_rest_read(file):  # C51
    lines = [json.dumps({"q": str(n)}) for n in range(10_000)]
    lines[7_776] = '{"q": 7776,, }'

    found = items(file("a.jsonl", "\n".join(lines)))

    assert [item.line for item in found if isinstance(item, Bad)] == [7_777]
    assert len(found) == 10_000


def test_first_line_broken_inside_does_not_hide_the_others(file):
    found = items(file("a.jsonl", '{"q": tru, "a": 1}\n{"q": "b"}\n'))

    assert [type(item) for item in found] == [Bad, Row]


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ('[{"q": "a"}]\n[{"q": "b"}]\n', "2:1"),
        ('[{"q": "a"},\n {"q": "b"}', "2:12"),
        ('[{"q": "a"}\n {"q": "b"}]', "2:2"),
        ('[{"q": "a"},\n {"q" "b"}]', "2:7"),
        ('{"q": "a",\n "a": \n', "3:1"),
        ("question,answer\n", "1:1"),
        ('{"data": [{"q": "a"}],\n "data": [{"q": "b"}]}', "2:10"),
    ],
)
def test_file_whose_rows_have_no_certain_end_is_refused_at_the_place(file, content, place):  # C54
    path = file("a.json", content)

    with pytest.raises(DataError) as error:
        items(path)

    assert error.value.problems[0].where == f"{path}:{place}"


@pytest.mark.parametrize("row", ['{"output": "A", "output": "B"}', '{"m": [{"a": "1", "a": "1"}]}'])
def test_key_given_twice_refuses_its_row(file, row):  # C56
    found = items(file("a.jsonl", f"{LINES}{row}\n{LINES}"))

    assert [(i.line, i.code) for i in found if isinstance(i, Bad)] == [(4, "duplicate-key")]


def test_key_given_twice_in_an_array_refuses_its_row_alone(file):  # C56
    found = items(file("a.json", '[{"q": "a"},\n{"q": "a", "q": "b"},\n{"q": "c"}]'))

    assert found[1] == Bad(2, "duplicate-key", "the key `q` occurs twice in one object")
    assert [type(item) for item in found] == [Row, Bad, Row]


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_word_that_is_no_json_number_is_refused(file, word):  # C56
    (found,) = items(file("a.jsonl", f'{{"output": {word}}}'))

    assert found == Bad(1, "not-a-number", f"`{word}` is not a JSON number")


@pytest.mark.parametrize("digits", ["4", "1.0", "1e5", "-0", "12345678901234567890", "9" * 5000])
def test_number_keeps_its_digits(file, digits):  # C48, C51
    (row,) = items(file("a.jsonl", f'{{"output": {digits}}}'))

    assert row.values["output"] == JsonNumber(digits)


@pytest.mark.parametrize(("value", "found"), [("[1]", "a list"), ("4", "a number")])
def test_row_that_is_no_object_is_refused(file, value, found):
    items_found = items(file("a.jsonl", f"{LINES}{value}\n"))

    assert items_found[3] == Bad(4, "not-an-object", f"found {found}, expected an object")


def test_two_objects_on_a_line_are_refused(file):
    found = items(file("a.jsonl", LINES + '{"q": "a"} {"q": "b"}\n'))

    assert (found[3].line, found[3].code) == (4, "json-syntax")


@pytest.mark.parametrize("row", ['{"q": "", "a": null}', '{"q": " \u3000"}', "{}"])
def test_row_in_which_nothing_is_written_is_blank(file, row):  # C50
    assert items(file("a.jsonl", f"{LINES}{row}\n"))[3] == Blank(4)


def test_surrogate_pair_becomes_one_character(file):  # C60
    (row,) = items(file("a.jsonl", r'{"q": "\ud83d\udc4d"}'))

    assert row.values["q"] == "👍"


def test_joined_emoji_stays_as_it_is(file):  # C60
    family = "👨‍👩‍👧"

    (row,) = items(file("a.jsonl", json.dumps({"q": family})))

    assert row.values["q"] == family


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (r'{"q": "\ud83d"}', "lone-surrogate"),
        (r'{"m": [{"content": "a\udc4d"}]}', "lone-surrogate"),
        (r'{"\ud83d": "a"}', "lone-surrogate"),
        (r'{"m": [{"\ud83d": "a"}]}', "lone-surrogate"),
        (r'{"q": "a\u0000b"}', "nul"),
    ],
)
def test_text_that_cannot_be_written_refuses_its_row(file, row, code):  # C60
    found = items(file("a.jsonl", f"{LINES}{row}\n{LINES}"))

    assert [(i.line, i.code) for i in found if isinstance(i, Bad)] == [(4, code)]


@pytest.mark.parametrize(("depth", "code"), [(70, "nested"), (100_000, "json-syntax")])
def test_deep_nesting_refuses_its_row(file, depth, code):
    deep = '{"q": ' + "[" * depth + "]" * depth + "}"

    found = items(file("a.jsonl", f"{LINES}{deep}\n"))

    assert (found[3].line, found[3].code) == (4, code)


def test_empty_file_has_no_rows(file):
    assert list(read_rows(file("a.json", " \n"), "utf-8")) == []
