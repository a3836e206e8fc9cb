"""A document of passages and questions gives a row a question, wherever its keys stand."""

import json

import pytest

from foundry.core.errors import DataError
from foundry.data.reading import read
from foundry.data.rows import Bad, Row

QUESTION = {"id": "1-1", "question": "保固多久？", "answers": [{"text": "一年", "answer_start": 3}]}
OTHER = {"question": "何時？", "id": "1-2", "answers": [], "is_impossible": True}
ARTICLE = {"title": "電扇", "paragraphs": [{"context": "保固是一年。", "qas": [QUESTION, OTHER]}]}
ROWS = [
    {
        **{"title": "電扇", "context": "保固是一年。", "id": "1-1", "question": "保固多久？"},
        "answers": ["一年"],
    },
    {
        **{"title": "電扇", "context": "保固是一年。", "question": "何時？", "id": "1-2"},
        **{"answers": [], "is_impossible": True},
    },
]


def document(indent=None, **keys):
    return json.dumps({"version": "1.3", "data": [ARTICLE], **keys}, indent=indent)


def items(path):
    reading = read(path)
    assert reading.kind == "squad"
    return list(reading.items)


@pytest.mark.parametrize("indent", [None, 2])
def test_each_question_is_a_row_with_its_passage(file, indent):
    assert [item.values for item in items(file("a.json", document(indent)))] == ROWS


def test_keys_may_stand_in_any_order(file):
    paragraph = dict(reversed(ARTICLE["paragraphs"][0].items()))
    article = {"paragraphs": [{"id": 7, **paragraph}], "title": "電扇"}

    path = file("a.json", json.dumps({"data": [article], "version": "1"}))

    assert [item.values for item in items(path)] == ROWS


def test_line_is_where_the_question_begins(file):
    text = document(indent=2)
    lines = [n for n, line in enumerate(text.splitlines(), 1) if '"id"' in line]

    found = items(file("a.json", text))

    assert [item.line for item in found] == [lines[0] - 1, lines[1] - 2]


def test_faulty_question_is_refused_alone(file):  # C56
    text = document().replace('"id": "1-1"', '"id": "1", "id": "2"')

    assert [type(item) for item in items(file("a.json", text))] == [Bad, Row]


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ('"title"', '"paragraphs"', "expected a list"),
        ('"context"', '"qas"', "expected a list"),
        ('"version": "1.3"', '"version": 1, "version": 2', "`version` occurs twice"),
        ("]}]}", "]}", "cut off or lacks a comma"),
    ],
)
def test_document_of_another_shape_is_refused_at_the_place(file, old, new, what):
    path = file("a.json", document().replace(old, new, 1))

    with pytest.raises(DataError, match=what) as error:
        items(path)

    assert error.value.problems[0].where.startswith(f"{path}:1:")


def test_more_text_behind_the_document_is_refused(file):
    with pytest.raises(DataError, match="after the end of the document"):
        items(file("a.json", document() + "\n" + document()))


@pytest.mark.parametrize(
    "content",
    [
        '{"paragraphs": 1, "data": 2}',
        '{"data": [], "paragraphs": 1}',
        '{"data": [{"text": "a"}], "paragraphs": [1]}',
    ],
)
def test_other_object_with_those_keys_is_json(file, content):
    assert read(file("a.json", content)).kind == "json"
