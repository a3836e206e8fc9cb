"""Turns are settled by one policy for every format, and each change is counted (C20, C57, C58)."""

import pytest

from foundry.core.records import ToolCall, Turn
from foundry.data import turns as turns_module
from foundry.data.rows import RowError
from foundry.data.turns import ROLES, role_of, settle
from foundry.encode.render import render
from tests.cases import case, change

NAMES = {"S": "system", "U": "user", "A": "assistant", "C": "function_call", "T": "observation"}
# Refuses what a strict family refuses: roles that do not alternate once the system turn is over.
STRICT = """
{%- for m in messages %}
  {%- if m.role == 'system' and not loop.first %}{{ raise_exception('late system') }}{% endif %}
  {%- if not loop.first and m.role == loop.previtem.role and m.role != 'tool' %}
    {{- raise_exception('two of one role') }}{% endif %}
  {%- if m.role == 'tool' and not (loop.previtem.tool_calls or loop.previtem.role == 'tool') %}
    {{- raise_exception('no call') }}{% endif %}
  {{- m.role }}: {{ m.content }}{% for c in m.tool_calls or [] %}[{{ c.function.name }}]{% endfor %}
{% endfor -%}
{%- if messages[-1].role != 'assistant' %}{{ raise_exception('no answer') }}{% endif %}"""


def chat(shape):
    """`chat("SUA")`: turns with those roles and a content each of its own."""
    return [
        Turn(NAMES[letter], "", tool_calls=(ToolCall(f"f{n}", {}),))
        if letter == "C"
        else Turn(NAMES[letter], f"{letter}{n}")
        for n, letter in enumerate(shape)
    ]


def refusal(shape):
    """The code with which the shape is refused."""
    with pytest.raises(RowError) as error:
        settle(chat(shape))
    return error.value.code


def as_they_are(turns):
    return list(turns)


@case(
    "C58",
    {
        "neighbours stay apart": change(turns_module, "_join", as_they_are),
        "the end stays": change(turns_module, "_end", len),
        "any order passes": change(turns_module, "_refuse_order", lambda _: None),
    },
)
def test_each_shape_has_one_policy_and_the_result_renders_on_a_strict_template():
    made = {shape: settle(chat(shape)) for shape in ("UUA", "UAU", "UAA")}

    assert [turn.content for turn in made["UUA"].turns] == ["U0\n\nU1", "A2"]
    assert [turn.content for turn in made["UAU"].turns] == ["U0", "A1"]
    assert [turn.content for turn in made["UAA"].turns] == ["U0", "A1\n\nA2"]
    assert [dict(settled.changes) for settled in made.values()] == [
        {"joined-user": 1},
        {"dropped-user": 1},
        {"joined-assistant": 1},
    ]
    assert [refusal("AUA"), refusal("")] == ["leading-answer", "empty-chat"]
    for settled in made.values():
        assert render(settled.turns, STRICT, bos_token="")


@pytest.mark.parametrize(
    ("shape", "contents", "changes"),
    [
        ("UA", ["U0", "A1"], {}),
        ("SUAUA", ["S0", "U1", "A2", "U3", "A4"], {}),
        ("UAUU", ["U0", "A1"], {"joined-user": 1, "dropped-user": 1}),
        ("SSUA", ["S0\n\nS1", "U2", "A3"], {"joined-system": 1}),
        ("UCTA", ["U0", "", "T2", "A3"], {}),
        ("UC", ["U0", ""], {}),
        ("UCCTTA", ["U0", "", "T3", "T4", "A5"], {"joined-assistant": 1}),
        ("UACTA", ["U0", "A1", "T3", "A4"], {"joined-assistant": 1}),
        ("UCT", ["U0", ""], {"dropped-tool": 1}),
        ("UCTAUCT", ["U0", "", "T2", "A3", "U4", ""], {"dropped-tool": 1}),
        ("UCTU", ["U0", ""], {"dropped-tool": 1, "dropped-user": 1}),
        ("UCTCTA", ["U0", "", "T2", "", "T4", "A5"], {}),
    ],
)
def test_shape_is_brought_into_turns(shape, contents, changes):  # C58, C59
    settled = settle(chat(shape))

    assert [turn.content for turn in settled.turns] == contents
    assert settled.changes == changes
    assert len(settled.turns) + sum(changes.values()) == len(shape)  # C20
    assert render(settled.turns, STRICT, bos_token="")


@pytest.mark.parametrize(
    ("shape", "code"),
    [
        ("SAUA", "leading-answer"),
        ("CTA", "leading-answer"),
        ("U", "no-answer"),
        ("SU", "no-answer"),
        ("S", "no-answer"),
        ("T", "no-answer"),
        ("UASUA", "late-system"),
        ("UCA", "call-without-result"),
        ("UCUA", "call-without-result"),
        ("UTA", "result-without-call"),
        ("UATA", "result-without-call"),
        ("TUA", "result-without-call"),
        ("UCTTA", "result-without-call"),
        ("UCTUA", "result-without-answer"),
    ],
)
def test_shape_no_template_renders_is_refused(shape, code):  # C58, C59
    assert refusal(shape) == code


@case(
    "C20",
    {
        "tools' roles are unknown": change(
            turns_module, "ROLES", {k: v for k, v in ROLES.items() if v != "tool"}
        ),
        "a turn is lost on the way": change(
            turns_module, "link", lambda turns: (tuple(t for t in turns if t.role != "tool"), ())
        ),
    },
)
def test_five_turns_of_all_roles_go_in_and_five_come_out():
    # The roles of the case in an order that can be rendered; in the case's own order a result
    # comes before its call, and the row is refused.
    settled = settle(chat("SUCTA"))

    assert [turn.role for turn in settled.turns] == [
        "system",
        "user",
        "assistant",
        "tool",
        "assistant",
    ]
    assert settled.changes == {}
    assert refusal("SUATC") == "result-without-call"


@pytest.mark.parametrize(("written", "role"), ROLES.items())
def test_role_is_known_by_each_of_its_names(written, role):  # C57
    assert role_of(written) == role


def test_role_with_space_and_capital_is_known_and_noticed():  # C57
    settled = settle([Turn("Human ", "問"), Turn("GPT", "答")])

    assert settled.turns == (Turn("user", "問"), Turn("assistant", "答"))
    assert settled.notices == (("role-respelled", "Human "), ("role-respelled", "GPT"))


def test_unknown_role_is_refused_by_name_with_those_accepted():  # C20, C57
    with pytest.raises(RowError) as error:
        settle([Turn("human", "問"), Turn("narrator", "說"), Turn("gpt", "答")])

    assert error.value.code == "unknown-role"
    assert "turn 2: unknown role `narrator`" in error.value.reason
    assert all(role in error.value.reason for role in ROLES)


@pytest.mark.parametrize(
    ("role", "code"), [("user", "empty-question"), ("assistant", "empty-answer")]
)
@pytest.mark.parametrize("content", ["", " \u3000\n"])
def test_turn_that_says_nothing_is_refused(role, code, content):  # C50
    turns = [Turn(r, content if r == role else "x") for r in ("user", "assistant")]

    with pytest.raises(RowError) as error:
        settle(turns)

    assert error.value.code == code


def test_thought_without_an_answer_is_no_answer():
    with pytest.raises(RowError, match="turn 2"):
        settle([Turn("user", "問"), Turn("assistant", "", reasoning="想")])


def test_system_turn_that_says_nothing_is_dropped_and_counted():
    settled = settle([Turn("system", ""), *chat("UA")])

    assert settled.turns == tuple(chat("UA"))
    assert settled.changes == {"dropped-system": 1}


def test_joined_turns_keep_their_thoughts_and_calls():
    first = Turn("assistant", "查", reasoning="一", tool_calls=(ToolCall("f", {}),))
    second = Turn("function_call", "", reasoning="二", tool_calls=(ToolCall("g", {}),))

    joined = settle([Turn("user", "問"), first, second]).turns[1]

    assert joined.content == "查"
    assert joined.reasoning == "一\n\n二"
    assert [call.name for call in joined.tool_calls] == ["f", "g"]


def test_two_speakers_of_one_role_are_not_made_one():
    with pytest.raises(RowError, match="`甲` and `乙`") as error:
        settle([Turn("user", "一", name="甲"), Turn("user", "二", name="乙"), *chat("A")])

    assert error.value.code == "two-speakers"
