"""Questions about a passage, and classes: the answer is what the data accept, never made up."""

import pytest

from foundry.data.formats import classification, squad
from foundry.data.rows import RowError

CONTEXT = "梵語由陸特和漢斯雷頓開創。"


def draft(answers, **row):
    spec = squad.Spec(decline=row.pop("decline", None))
    return squad.to_draft({"question": "誰？", "context": CONTEXT, "answers": answers, **row}, spec)


@pytest.mark.parametrize(
    "answers",
    [
        [{"text": "陸特"}, {"text": "漢斯雷頓"}],
        {"text": ["陸特", "漢斯雷頓"], "answer_start": []},
        ["陸特"],
        [{"text": ""}, {"text": "陸特"}],
    ],
)
def test_first_answer_is_learned(answers):
    assert draft(answers).turns[1].content == "陸特"


@pytest.mark.parametrize(
    ("answers", "row"),
    [
        ([], {}),
        (None, {}),
        ({"text": []}, {}),
        ([{"text": " "}], {}),
        ([{"text": "陸特"}], {"is_impossible": True}),
        ([{"text": "陸特"}], {"is_impossible": "True"}),
    ],
)
def test_question_without_an_answer_is_declined_or_refused(answers, row):
    assert draft(answers, decline="文中沒有。", **row).turns[1].content == "文中沒有。"
    with pytest.raises(RowError) as error:
        draft(answers, **row)
    assert error.value.code == "unanswerable"


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ({"answers": "陸特"}, "type"),
        ({"answers": [["陸特"]]}, "type"),
        ({"context": " "}, "empty-context"),
    ],
)
def test_row_of_another_shape_is_refused(row, code):
    with pytest.raises(RowError) as error:
        draft(**{"answers": ["陸特"], **row})

    assert error.value.code == code


def test_absent_answers_are_no_impossible_question():
    with pytest.raises(RowError) as error:
        squad.to_draft({"question": "誰？", "context": CONTEXT}, squad.Spec(decline="無"))

    assert error.value.code == "missing-field"


def test_answer_that_is_not_in_the_passage_is_noticed():
    assert draft(["陸特"]).notices == ()
    assert draft(["魯特"]).notices == (("answer-not-in-context", "魯特"),)


@pytest.mark.parametrize(
    ("label", "labels", "code"),
    [("", None, "no-label"), (None, None, "no-label"), ("換貨", ("退貨",), "unknown-label")],
)
def test_label_that_is_none_is_refused(label, labels, code):
    spec = classification.Spec(labels=labels)

    with pytest.raises(RowError) as error:
        classification.to_draft({"text": "文", "label": label}, spec)

    assert error.value.code == code
