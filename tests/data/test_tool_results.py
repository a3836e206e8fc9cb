"""Every result names the call it answers, and every call has an id."""

import pytest

from foundry.core.records import ToolCall, Turn
from foundry.data.rows import RowError
from foundry.data.tool_results import link


def calls(*names, ids=()):
    """An assistant turn with calls of these names."""
    pairs = zip(names, ids or [""] * len(names), strict=True)
    return Turn("assistant", "", tool_calls=tuple(ToolCall(n, {}, id=i) for n, i in pairs))


def result(name="", call_id=""):
    return Turn("tool", "結果", name=name, call_id=call_id)


def linked(*turns):
    """Name and call id of each result."""
    made, _notices = link(turns)
    return [(turn.name, turn.call_id) for turn in made if turn.role == "tool"]


def test_calls_without_an_id_are_numbered_through_the_conversation():
    made, _notices = link([calls("f", "g"), result(), result(), calls("h"), result()])

    ids = [call.id for turn in made for call in turn.tool_calls]
    assert ids == ["call00001", "call00002", "call00003"]
    assert [(t.name, t.call_id) for t in made if t.role == "tool"] == [
        ("f", "call00001"),
        ("g", "call00002"),
        ("h", "call00003"),
    ]


def test_number_does_not_take_an_id_that_the_data_have():
    made, _notices = link([calls("f", "g", ids=("", "call00001"))])

    assert [call.id for call in made[0].tool_calls] == ["call00002", "call00001"]


def test_result_is_linked_by_its_id_whatever_the_order():
    assert linked(calls("f", "g", ids=("a", "b")), result(call_id="b"), result(call_id="a")) == [
        ("g", "b"),
        ("f", "a"),
    ]


def test_result_is_linked_by_its_name_where_it_has_no_id():
    assert linked(calls("f", "g", "f"), result("g"), result("f"), result("f")) == [
        ("g", "call00002"),
        ("f", "call00001"),
        ("f", "call00003"),
    ]


@pytest.mark.parametrize(
    "results",
    [
        [result(), result()],
        [result("other")],
        [result(call_id="other")],
    ],
)
def test_result_that_answers_no_call_is_refused(results):
    with pytest.raises(RowError) as error:
        link([calls("f"), *results])

    assert error.value.code == "result-without-call"


def test_same_id_may_come_again_in_a_later_turn_but_not_in_one():
    assert linked(calls("f", ids=("1",)), result(), calls("g", ids=("1",)), result()) == [
        ("f", "1"),
        ("g", "1"),
    ]
    with pytest.raises(RowError, match="same id"):
        link([calls("f", "g", ids=("1", "1"))])


def test_one_result_for_several_calls_is_noticed():
    _made, notices = link([calls("f", "g"), result(), Turn("assistant", "答")])

    assert notices == (("fewer-tool-results", "g"),)


def test_call_that_ends_the_conversation_needs_no_result():
    assert link([calls("f", "g")])[1] == ()
