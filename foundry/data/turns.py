"""Turns as the templates can render them: known roles, in turn, ending with an answer.

A format hands over the turns of a row with the roles as written; this file settles them, for every
format alike. Policy (cases.md C57, C58): neighbours of one role are joined by a blank line; user
turns after the last answer are dropped, and so are system turns without text; a conversation that
begins with an answer, has a system turn later than at its start, or an unknown role is refused.
Every change is counted by a code, and turns in = turns out + joined + dropped, always (C20).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from foundry.core.language import gettext as _
from foundry.core.records import Turn
from foundry.data.rows import RowError, is_blank

ROLES = {
    "system": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
}
SEPARATOR = "\n\n"


@dataclass(frozen=True)
class Settled:
    """Turns ready for a template, and what was changed: counts by `joined-user` and the like."""

    turns: tuple[Turn, ...]
    changes: Mapping[str, int]
    respelled: tuple[str, ...]
    """Roles that are known only without their spaces and capitals, as they were written."""


def settle(turns: Sequence[Turn]) -> Settled:
    """Bring the turns of one row into the form that every template accepts.

    Raises:
        RowError: The conversation is refused; its code says why.
    """
    if not turns:
        raise RowError("empty-chat", _("the conversation has no turns"))
    named = [_named(turn, number) for number, turn in enumerate(turns, start=1)]
    written = [turn for turn in named if turn.role != "system" or not is_blank(turn.content)]
    _refuse_empty(written)
    joined = [_join(list(group)) for _role, group in groupby(written, lambda t: t.role)]
    kept = joined[:-1] if joined and joined[-1].role == "user" else joined
    _refuse_order(kept)
    changes = {
        "dropped-system": len(named) - len(written),
        "dropped-user": len(joined) - len(kept),
        **_joined_by_role(written, joined),
    }
    respelled = tuple(turn.role for turn in turns if turn.role not in ROLES)
    return Settled(tuple(kept), {code: n for code, n in changes.items() if n}, respelled)


def is_known(role: str) -> bool:
    """Whether `settle` takes a turn with this role."""
    return _plain(role) in ROLES


def _plain(role: str) -> str:
    return role.strip().casefold()


def _named(turn: Turn, number: int) -> Turn:
    if not is_known(turn.role):
        what = _("turn {number}: unknown role `{role}`; known are: {known}")
        known = ", ".join(ROLES)
        reason = what.format(number=number, role=turn.role, known=known)
        raise RowError("unknown-role", reason)
    return Turn(ROLES[_plain(turn.role)], turn.content)


def _refuse_empty(turns: Sequence[Turn]) -> None:
    for number, turn in enumerate(turns, start=1):
        if not is_blank(turn.content):
            continue
        if turn.role == "assistant":
            what = _("the answer is empty (turn {number})").format(number=number)
            raise RowError("empty-answer", what)
        what = _("the question is empty (turn {number})").format(number=number)
        raise RowError("empty-question", what)


def _refuse_order(turns: Sequence[Turn]) -> None:
    roles = [turn.role for turn in turns]
    if "assistant" not in roles:
        raise RowError("no-answer", _("the conversation has no answer to learn"))
    if "system" in roles[1:]:
        what = _("a system turn stands in the middle; it may only be the first")
        raise RowError("late-system", what)
    if roles[1:2] == ["assistant"] if roles[0] == "system" else roles[0] == "assistant":
        raise RowError("leading-answer", _("the conversation begins with an answer"))


def _join(turns: Sequence[Turn]) -> Turn:
    return Turn(turns[0].role, SEPARATOR.join(turn.content for turn in turns))


def _joined_by_role(before: Sequence[Turn], after: Sequence[Turn]) -> dict[str, int]:
    roles = {turn.role: 0 for turn in before}
    for turn in before:
        roles[turn.role] += 1
    for turn in after:
        roles[turn.role] -= 1
    return {f"joined-{role}": count for role, count in roles.items()}
