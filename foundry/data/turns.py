"""Turns as the templates can render them: known roles, in turn, ending with an answer.

A format hands over the turns of a row with the roles as written; this file settles them, for every
format alike. Policy by shape (cases.md C57, C58), U a user, A an assistant, C an assistant that
calls a tool, T a tool's result, S a system turn:

- neighbours of one role are joined by a blank line, but results stay apart (U U A, U A A);
  calls in turns of their own become one turn with several calls (U C C T T A);
- U and T after the last answer are dropped (U A U, U C T); a system turn without text too;
- a conversation without an answer, one that begins with an answer (A U A), a system turn later
  than at the start, a role not listed here, a turn that says nothing: refused;
- a result follows a call or another result, and an answer follows the results: C U, C A, U T and
  T U are refused. A conversation may end with a call.

Every change is counted by a code, and turns in = turns out + joined + dropped, always (C20).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise

from foundry.core.language import gettext as _
from foundry.core.records import Turn
from foundry.data.rows import RowError, is_blank
from foundry.data.tool_results import link

ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "function_call": "assistant",
    "tool_call": "assistant",
    "tool": "tool",
    "observation": "tool",
    "function": "tool",
    "function_response": "tool",
    "tool_response": "tool",
}
CALLERS = ("function_call", "tool_call")  # roles whose text is the call itself
SEPARATOR = "\n\n"
RESPELLED = "role-respelled"


@dataclass(frozen=True)
class Settled:
    """Turns ready for a template, what was changed, and what a person should look at.

    `changes` are counts by `joined-user` and the like; `notices` are codes with an example:
    `role-respelled` is a role that is known only without its spaces and capitals.
    """

    turns: tuple[Turn, ...]
    changes: Mapping[str, int]
    notices: tuple[tuple[str, str], ...] = ()


def settle(turns: Sequence[Turn]) -> Settled:
    """Bring the turns of one row into the form that every template accepts.

    Raises:
        RowError: The conversation is refused; its code says why.
    """
    if not turns:
        raise RowError("empty-chat", _("the conversation has no turns"))
    if _is_plain(turns):
        return Settled(tuple(turns), {})
    named = [_named(turn, number) for number, turn in enumerate(turns, start=1)]
    _refuse_empty(named)
    written = [turn for turn in named if turn.role != "system" or not is_blank(turn.content)]
    joined = [turn for _role, group in groupby(written, _group) for turn in _join(list(group))]
    kept = joined[: _end(joined)]
    _refuse_order(kept)
    linked, notices = link(kept)
    changes = {
        "dropped-system": len(named) - len(written),
        **_difference("dropped", joined, kept),
        **_difference("joined", written, joined),
    }
    respelled = [(RESPELLED, turn.role) for turn in turns if turn.role not in ROLES]
    return Settled(linked, {code: n for code, n in changes.items() if n}, (*respelled, *notices))


def _is_plain(turns: Sequence[Turn]) -> bool:
    """Whether there is nothing to settle: question and answer in turn, each a text and no more.

    Most rows are; to find it out takes a tenth of the time of settling them.
    """
    asked = turns[1:] if turns[0].role == "system" else turns
    roles = [turn.role for turn in asked]
    return (
        roles[:1] == ["user"]
        and roles == ["user", "assistant"] * (len(roles) // 2)
        and not any(turn.tool_calls or turn.name or turn.call_id for turn in turns)
        and not any(is_blank(turn.content) for turn in turns)
    )


def role_of(written: str) -> str | None:
    """The role that a spelling means, None if no role is spelled so."""
    return ROLES.get(written) or ROLES.get(_plain(written))


def is_caller(written: str) -> bool:
    """Whether the text of a turn with this role is itself a tool call."""
    return written in CALLERS or _plain(written) in CALLERS


def _plain(written: str) -> str:
    return written.strip().casefold()


def _named(turn: Turn, number: int) -> Turn:
    role = role_of(turn.role)
    if role is None:
        what = _("turn {number}: unknown role `{role}`; known are: {known}")
        known = ", ".join(ROLES)
        reason = what.format(number=number, role=turn.role, known=known)
        raise RowError("unknown-role", reason)
    return turn if turn.role == role else replace(turn, role=role)


def _refuse_empty(turns: Sequence[Turn]) -> None:
    for number, turn in enumerate(turns, start=1):
        if not is_blank(turn.content) or turn.tool_calls:
            continue
        if turn.role == "assistant":
            what = _("the answer is empty (turn {number})").format(number=number)
            raise RowError("empty-answer", what)
        if turn.role == "user":
            what = _("the question is empty (turn {number})").format(number=number)
            raise RowError("empty-question", what)


def _group(turn: Turn) -> tuple[str, str]:
    """Equal for neighbours that may become one turn: of one role, and one speaker if named."""
    return turn.role, turn.name


def _join(turns: Sequence[Turn]) -> Iterator[Turn]:
    if len(turns) == 1 or turns[0].role == "tool":
        yield from turns
        return
    called = next((n for n, turn in enumerate(turns) if turn.tool_calls), len(turns))
    if any(not is_blank(turn.content) for turn in turns[called + 1 :]):
        raise RowError("call-without-result", _("text follows a tool call that has no result"))
    yield Turn(
        turns[0].role,
        SEPARATOR.join(turn.content for turn in turns if turn.content),
        reasoning=SEPARATOR.join(turn.reasoning for turn in turns if turn.reasoning),
        tool_calls=tuple(call for turn in turns for call in turn.tool_calls),
        name=turns[0].name,
    )


def _end(turns: Sequence[Turn]) -> int:
    """Where the turns up to the last answer end; all of them if there is no answer."""
    answers = (n for n in range(len(turns), 0, -1) if turns[n - 1].role == "assistant")
    return next(answers, len(turns))


def _refuse_order(turns: Sequence[Turn]) -> None:
    roles = [turn.role for turn in turns]
    if "assistant" not in roles:
        raise RowError("no-answer", _("the conversation has no answer to learn"))
    if "system" in roles[1:]:
        what = _("a system turn stands in the middle; it may only be the first")
        raise RowError("late-system", what)
    if roles[1:2] == ["assistant"] if roles[0] == "system" else roles[0] == "assistant":
        raise RowError("leading-answer", _("the conversation begins with an answer"))
    for before, turn in pairwise((Turn("", ""), *turns)):
        _refuse_neighbours(before, turn)


def _refuse_neighbours(before: Turn, turn: Turn) -> None:
    if before.tool_calls and turn.role != "tool":
        what = _("a tool call has no result and is not the end of the conversation")
        raise RowError("call-without-result", what)
    if turn.role == "tool" and before.role != "tool" and not before.tool_calls:
        raise RowError("result-without-call", _("a tool's result stands there without a call"))
    if before.role == "tool" and turn.role == "user":
        what = _("no answer of the assistant follows a tool's result")
        raise RowError("result-without-answer", what)
    if before.role == turn.role != "tool" and before.name != turn.name:
        what = _("two speakers, `{first}` and `{second}`, follow each other in one role")
        raise RowError("two-speakers", what.format(first=before.name, second=turn.name))


def _difference(code: str, before: Sequence[Turn], after: Sequence[Turn]) -> dict[str, int]:
    """How many turns fewer there are of each role: `{"joined-user": 1}`."""
    counts = {f"{code}-{turn.role}": 0 for turn in before}
    for turn in before:
        counts[f"{code}-{turn.role}"] += 1
    for turn in after:
        counts[f"{code}-{turn.role}"] -= 1
    return counts
