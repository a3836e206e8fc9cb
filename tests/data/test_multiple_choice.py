"""A wrong answer key is refused, and a right one is found however it is written."""

import pytest

from foundry.data.formats.multiple_choice import Spec, to_draft
from foundry.data.rows import JsonNumber, RowError

CITIES = ["臺中", "臺北", "高雄"]


def row(answer, options=CITIES):
    return {"question": "首都？", "options": options, "answer": answer}


def learned(answer, options=CITIES, **settings):
    """The prompt's lines and the answer."""
    question, reply = to_draft(row(answer, options), Spec(**settings)).turns
    return question.content.split("\n"), reply.content


@pytest.mark.parametrize("key", ["B", "b", "(B)", "B.", "（Ｂ）", " B ", "臺北"])
def test_key_is_a_letter_or_the_text_of_an_option(key):
    assert learned(key) == (["首都？", "A. 臺中", "B. 臺北", "C. 高雄"], "B")


@pytest.mark.parametrize(
    ("reply", "answer"), [("letter", "B"), ("letter-and-text", "B. 臺北"), ("text", "臺北")]
)
def test_recipe_says_what_the_answer_is(reply, answer):
    assert learned("B", reply=reply)[1] == answer


@pytest.mark.parametrize(("first", "answer"), [(0, "C"), (1, "B")])
def test_number_needs_the_number_of_the_first_option(first, answer):
    assert learned(JsonNumber("2"), first=first)[1] == answer
    with pytest.raises(RowError, match="`first`") as error:
        learned(JsonNumber("2"))
    assert error.value.code == "answer-key"


def test_number_that_is_the_text_of_an_option_needs_nothing():
    assert learned(JsonNumber("4"), [JsonNumber("2"), JsonNumber("4")])[1] == "B"


@pytest.mark.parametrize(
    ("key", "options"),
    [
        ("D", CITIES),
        ("", CITIES),
        (None, CITIES),
        ("臺南", CITIES),
        ("AB", CITIES),
        ("臺北", ["臺北", "臺北"]),
        ("A", ["B", "A"]),  # the letter of the one, the text of the other
        ("C", {"text": CITIES, "label": ["1", "2", "3"]}),
    ],
)
def test_key_that_names_no_option_or_two_is_refused(key, options):
    with pytest.raises(RowError) as error:
        learned(key, options)

    assert error.value.code == "answer-key"


@pytest.mark.parametrize("key", [JsonNumber("0"), JsonNumber("4")])
def test_number_out_of_range_is_refused(key):
    with pytest.raises(RowError, match="names 0 of 3"):
        learned(key, first=1)


@pytest.mark.parametrize(
    "options",
    [
        '["臺中", "臺北", "高雄"]',
        {"A": "臺中", "B": "臺北", "C": "高雄"},
        {"text": CITIES, "label": ["A", "B", "C"]},
        {"text": CITIES, "label": ["1", "2", "3"]},
    ],
)
def test_list_of_options_has_several_shapes(options):
    key = "2" if options == {"text": CITIES, "label": ["1", "2", "3"]} else "B"

    assert learned(key, options) == learned("B")


@pytest.mark.parametrize(
    "options",
    [
        None,
        "",
        "臺中|臺北",
        ["臺中"],
        [],
        ["臺中", ""],
        [["臺中"], "臺北"],
        {"text": CITIES, "label": ["A"]},
        [str(n) for n in range(27)],
    ],
)
def test_what_is_no_list_of_options_is_refused(options):
    with pytest.raises(RowError) as error:
        learned("A", options)

    assert error.value.code in ("options", "type")


def test_columns_of_options_may_be_blank_at_the_end_only():
    spec = Spec(options=("A", "B", "C"))
    cells = {"question": "首都？", "answer": "B", "A": "臺中", "B": "臺北"}

    question = to_draft({**cells, "C": " "}, spec).turns[0].content

    assert question == "首都？\nA. 臺中\nB. 臺北"
    with pytest.raises(RowError, match="option A is empty"):
        to_draft({**cells, "A": "", "C": "高雄"}, spec)
