"""Tool calls judged as BFCL does: the right tools, typed arguments, any order, and none if none."""

import json

import pytest

from foundry.core.errors import RecipeError
from foundry.core.records import Example, ToolCall, Turn
from foundry.evals.answers import Answer, Item
from foundry.evals.baselines import most_frequent_answer
from foundry.evals.evaluators import tool_calls
from foundry.evals.metrics import metrics_of
from foundry.evals.questions import answer_of
from tests.family_talks import TOOLS

SPEC = tool_calls.Spec()
TAIPEI = ToolCall("lookup", {"city": "臺北", "days": 2})
TOKYO = ToolCall("lookup", {"city": "東京"})
EARLIER = (
    Turn("user", "東京呢？"),
    Turn("assistant", "", tool_calls=(TOKYO,)),
    Turn("tool", "晴", name="lookup"),
    Turn("assistant", "晴天。"),
)


def item(key: str, *calls: ToolCall, before: tuple[Turn, ...] = (), **fields: str) -> Item:
    text = "" if calls else "不客氣。"
    turns = (*before, Turn("user", "天氣？"), Turn("assistant", text, tool_calls=calls))
    return Item(Example(key, turns, "t.jsonl", 1, key, fields, TOOLS), "facts")


def write(*calls: ToolCall) -> str:
    """In Hermes' form."""
    each = ({"name": c.name, "arguments": dict(c.arguments)} for c in calls)
    return "\n".join(f"<tool_call>\n{json.dumps(one)}\n</tool_call>" for one in each)


def score(asked: Item, text: str, spec: tool_calls.Spec = SPEC) -> float | None:
    return tool_calls.score(asked, Answer("x", text, len(text), stopped=True), spec)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"city": "臺北", "days": 2}, 1.0),
        ({"days": 2, "city": " 臺北 "}, 1.0),
        ({"city": "臺北", "days": "2"}, 0.0),
        ({"city": "臺北", "days": 2.0}, 0.0),
        ({"city": "臺北", "days": True}, 0.0),
        ({"city": "臺北"}, 0.0),
        ({"city": "臺北", "days": 2, "unit": "c"}, 0.0),
        ({"city": ["臺北"], "days": 2}, 0.0),
    ],
)
def test_arguments_are_compared_with_their_types(arguments, expected):
    assert score(item("a", TAIPEI), write(ToolCall("lookup", arguments))) == expected


@pytest.mark.parametrize(
    ("wanted", "given", "expected"),
    [
        (1.0, 1, 1.0),
        (1, True, 0.0),
        (True, 1, 0.0),
        ({"a": [1, "x"]}, {"a": [1, "X"]}, 1.0),
        ([1, 2], [2, 1], 0.0),
        (None, None, 1.0),
        ("1", 1, 0.0),
    ],
)
def test_values_are_the_same_only_in_their_type(wanted, given, expected):
    asked = item("a", ToolCall("lookup", {"x": wanted}))

    assert score(asked, write(ToolCall("lookup", {"x": given}))) == expected


def test_calls_of_one_turn_may_come_in_any_order_but_each_once():
    asked = item("a", TAIPEI, TOKYO)

    assert score(asked, write(TOKYO, TAIPEI)) == 1.0
    assert score(asked, write(TAIPEI)) == 0.0
    assert score(asked, write(TAIPEI, TAIPEI)) == 0.0
    assert score(asked, write(TAIPEI, TOKYO, TOKYO)) == 0.0


def test_where_no_call_is_due_none_must_be_made():
    asked = item("a")

    assert score(asked, "不客氣。") == 1.0
    assert score(asked, write(TOKYO)) == 0.0
    assert score(asked, '<tool_call>\n{"name": ') == 0.0


def test_a_conversation_is_judged_by_its_last_turn():
    assert score(item("a", TAIPEI, before=EARLIER), write(TAIPEI)) == 1.0
    assert score(item("a", TAIPEI, before=EARLIER), write(TOKYO)) == 0.0


def test_other_right_answers_stand_in_a_column():
    possible = json.dumps([{"lookup": {"city": ["臺北", "Taipei"], "days": [2, ""]}}])
    asked, spec = item("a", TAIPEI, 可=possible), tool_calls.Spec(alternatives="可")

    assert score(asked, write(ToolCall("lookup", {"city": "taipei"})), spec) == 1.0
    assert score(asked, write(ToolCall("lookup", {"city": "臺北", "days": 2})), spec) == 1.0
    assert score(asked, write(ToolCall("lookup", {"city": "臺北", "days": 3})), spec) == 0.0
    assert score(asked, write(ToolCall("lookup", {"days": 2})), spec) == 0.0


def test_calls_with_overlapping_alternatives_are_paired_off():
    possible = json.dumps([{"lookup": {"city": ["臺北", "東京"]}}, {"lookup": {"city": ["臺北"]}}])
    asked, spec = item("a", TAIPEI, 可=possible), tool_calls.Spec(alternatives="可")
    taipei = ToolCall("lookup", {"city": "臺北"})

    assert score(asked, write(taipei, TOKYO), spec) == 1.0
    assert score(asked, write(TOKYO, TOKYO), spec) == 0.0


@pytest.mark.parametrize("written", ["{", "[]x", '[{"lookup": 3}]', '[{"lookup": {"city": "x"}}]'])
def test_possible_calls_that_cannot_be_read_are_refused(shop, written):
    block = shop.block("tool-calls", alternatives="可")

    with pytest.raises(RecipeError, match=r"`可` of t\.jsonl:1 holds no possible calls"):
        metrics_of([block], [item("a", TAIPEI, 可=written)])


def test_a_question_without_tools_is_not_scored(shop):
    assert score(shop.facts[0], "售價100元。") is None


def test_reference_that_people_and_base_are_shown_is_the_call_and_read_as_one():
    asked = item("a", TAIPEI, TOKYO)

    assert answer_of(asked.example).count("<tool_call>") == 2
    assert score(asked, answer_of(asked.example)) == 1.0
    assert "\n" not in answer_of(asked.example)  # where the answer of a base ends
    copied = most_frequent_answer([asked.example], [asked])
    assert score(asked, copied.answers["a"].text) == 1.0


def test_mock_models_score_exactly_what_they_are_known_for(shop):
    """30 of 40 right; of the 10 others 4 are malformed, 3 have a wrong argument, 3 call a tool
    where none is due. The first 8 want two calls, the first 10 stand after an earlier answer."""
    due = [
        item(
            f"c{n:02}",
            ToolCall("lookup", {"city": f"城{n}"}),
            *([TOKYO] if n < 8 else []),
            before=EARLIER if n < 10 else (),
        )
        for n in range(32)
    ]
    shop.items = [*due, *(item(f"n{n:02}") for n in range(8))]
    place = {asked.example.id: n for n, asked in enumerate(shop.items)}

    def says(asked):
        n, calls = place[asked.example.id], asked.example.messages[-1].tool_calls
        if n < 4:
            return write(*calls)[:-20]
        if n < 7:
            return write(*[TOKYO] * len(calls))
        if n >= 37:
            return write(TOKYO)
        return write(*calls) or "不客氣。"

    report = shop.report(
        [shop.column("base", lambda _: "不知道"), shop.column("tuned", says)],
        evals=[shop.block("tool-calls")],
    )

    found = {m["name"]: shop.score(report, "tuned", m["name"])["mean"] for m in report["metrics"]}
    assert found == {
        "tool-calls": 30 / 40,
        "tool-calls-right-tool": 28 / 32,  # the malformed ones call none
        "tool-calls-malformed": 4 / 40,
        "tool-calls-abstention": 5 / 8,
        "tool-calls-parallel": 1 / 8,
        "tool-calls-multi-turn": 3 / 10,
    }
    assert shop.score(report, "base", "tool-calls")["mean"] == 8 / 40
