"""Turns are settled by one policy for every format, and each change is counted (C20, C57, C58)."""

import pytest

from foundry.core.records import Turn
from foundry.data.rows import RowError
from foundry.data.turns import ROLES, settle

NAMES = {"S": "system", "U": "user", "A": "assistant"}


def chat(shape):
    """`chat("SUA")`: turns with those roles and a content each of its own."""
    return [Turn(NAMES[letter], f"{letter}{n}") for n, letter in enumerate(shape)]


@pytest.mark.parametrize(
    ("shape", "contents", "changes"),
    [
        ("UA", ["U0", "A1"], {}),
        ("SUAUA", ["S0", "U1", "A2", "U3", "A4"], {}),
        ("UUA", ["U0\n\nU1", "A2"], {"joined-user": 1}),
        ("UAU", ["U0", "A1"], {"dropped-user": 1}),
        ("UAA", ["U0", "A1\n\nA2"], {"joined-assistant": 1}),
        ("UAUU", ["U0", "A1"], {"joined-user": 1, "dropped-user": 1}),
        ("SSUA", ["S0\n\nS1", "U2", "A3"], {"joined-system": 1}),
    ],
)
def test_shape_is_brought_into_turns(shape, contents, changes):  # C58
    settled = settle(chat(shape))

    assert [turn.content for turn in settled.turns] == contents
    assert settled.changes == changes
    assert len(settled.turns) + sum(changes.values()) == len(shape)  # C20


@pytest.mark.parametrize(
    ("shape", "code"),
    [
        ("AUA", "leading-answer"),
        ("SAUA", "leading-answer"),
        ("", "empty-chat"),
        ("U", "no-answer"),
        ("SU", "no-answer"),
        ("S", "no-answer"),
        ("UASUA", "late-system"),
    ],
)
def test_shape_no_template_renders_is_refused(shape, code):  # C58
    with pytest.raises(RowError) as error:
        settle(chat(shape))

    assert error.value.code == code


@pytest.mark.parametrize(("written", "role"), ROLES.items())
def test_role_is_known_by_each_of_its_names(written, role):  # C57
    first = () if role == "system" else (Turn("user", "u"),)

    settled = settle([*first, Turn(written, "x"), Turn("user", "u"), Turn("assistant", "a")])

    assert role in [turn.role for turn in settled.turns]
    assert settled.respelled == ()


def test_role_with_space_and_capital_is_known_and_counted():  # C57
    settled = settle([Turn("Human ", "問"), Turn("GPT", "答")])

    assert settled.turns == (Turn("user", "問"), Turn("assistant", "答"))
    assert settled.respelled == ("Human ", "GPT")


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


def test_system_turn_that_says_nothing_is_dropped_and_counted():
    settled = settle([Turn("system", ""), *chat("UA")])

    assert settled.turns == tuple(chat("UA"))
    assert settled.changes == {"dropped-system": 1}
