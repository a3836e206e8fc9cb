"""The prompt and the answers of a preference row, each a text, a message or a list of messages."""

from collections.abc import Mapping
from typing import Any

from foundry.core.language import gettext as _
from foundry.core.records import Turn
from foundry.data.columns import CHATS
from foundry.data.messages import is_chat, read_turn, read_turns
from foundry.data.rows import RowError, as_text, is_blank, text_of
from foundry.data.turns import role_of


def read_prompt(
    row: Mapping[str, Any], column: str, beside: str | None, respelled: list[str]
) -> tuple[Turn, ...]:
    """What is asked: the messages of `column`, or its text and, below it, that of `beside`.

    A row without the column may have its messages under one of the usual names; a row with none
    of them has no prompt of its own.

    Raises:
        RowError: The prompt is empty, or itself ends with an answer.
    """
    field = next((name for name in (column, *CHATS) if row.get(name) is not None), None)
    if field is None:
        return ()
    if isinstance(row[field], list):
        turns = read_turns(row[field], field, respelled)
    else:
        asked = [text_of(row, field)]
        asked += [text_of(row, beside, optional=True)] if beside is not None else []
        text = "\n\n".join(part for part in asked if not is_blank(part))
        turns = (Turn("user", text),) if text else ()
    if not turns:
        what = _("the prompt is empty (field `{field}`)")
        raise RowError("empty-prompt", what.format(field=field))
    if role_of(turns[-1].role) == "assistant":
        what = _("field `{field}` already ends with an answer")
        raise RowError("answered-prompt", what.format(field=field))
    return turns


def read_side(
    row: Mapping[str, Any], field: str, prompt: tuple[Turn, ...], respelled: list[str]
) -> tuple[Turn, ...]:
    """The whole conversation that ends with the answer in `field`.

    A list of messages that does not begin with an answer is such a conversation by itself, and
    its prompt must end with the row's own, if that has one. Anything else follows the prompt.

    Args:
        row: Its `field` holds a text, a message, or a list of messages.
        field: The column of the answer.
        prompt: What `read_prompt` gave.
        respelled: Gets the numbers that are written differently from how they are printed.

    Raises:
        RowError: No such column, no prompt, or another prompt than the row's own.
    """
    if field not in row:
        what = _("no field `{field}`; the row has: {found}")
        raise RowError("missing-field", what.format(field=field, found=", ".join(row) or "-"))
    said = _said(row[field], field, respelled)
    if not is_whole(row[field]):
        if prompt:
            return (*prompt, *said)
        what = _("no prompt: no column holds it, and `{field}` is no chat that begins with one")
        raise RowError("missing-prompt", what.format(field=field))
    own = [(role_of(turn.role), turn.content) for turn in said[:-1]]
    if prompt and own[-len(prompt) :] != [(role_of(turn.role), turn.content) for turn in prompt]:
        what = _("the chat in `{field}` does not begin with the prompt that the row gives")
        raise RowError("different-prompts", what.format(field=field))
    return said


def is_whole(value: Any) -> bool:
    """Whether this is a list of messages that begins with a prompt rather than an answer."""
    if not is_chat(value):
        return False
    first = value[0].get("role") or value[0].get("from")
    return role_of(str(first)) != "assistant"


def _said(value: Any, field: str, respelled: list[str]) -> tuple[Turn, ...]:
    if isinstance(value, list):
        return read_turns(value, field, respelled) or (Turn("assistant", ""),)
    if not isinstance(value, dict):
        return (Turn("assistant", as_text(value, field)),)
    try:
        return (read_turn(value, respelled),)
    except RowError as error:
        reason = _("field `{field}`: {fault}").format(field=field, fault=error.reason)
        raise RowError(error.code, reason) from error
