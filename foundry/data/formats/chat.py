"""Format `chat`: a row holds a list of messages, as chat interfaces and ShareGPT files have it.

A message is `{role, content}` or `{from, value}`, or a mixture of the two (cases.md C57). Roles are
settled in `foundry/data/turns.py`. Keys that are null are as good as absent (C53); a key that
changes what is learned and that this format cannot keep refuses the row.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from foundry.core.fields import Closed
from foundry.core.language import gettext as _
from foundry.core.records import Turn
from foundry.data.draft import Draft
from foundry.data.rows import RowError, as_text, is_blank, type_name
from foundry.data.turns import is_known

SHAREGPT = "conversations"
ROLE_KEYS = ("role", "from")
TEXT_KEYS = ("content", "value")
UNREAD = ("tool_calls", "function_call", "tool_call_id", "reasoning_content", "weight")


class Spec(Closed):
    """Which field holds the messages."""

    messages: str = Field(
        "messages",
        min_length=1,
        description="Field with the list of messages; roles are system, user and assistant. "
        "A row without it may have `conversations`.",
    )


def columns(spec: Spec) -> tuple[str, ...]:
    """The columns that the data must have, where the recipe itself names one."""
    return (spec.messages,) if "messages" in spec.model_fields_set else ()


def to_draft(row: Mapping[str, Any], spec: Spec) -> Draft:
    """The messages in order with their roles as written, the row's own `system` text first.

    Raises:
        RowError: No list of messages, or a message that is not a role and a text.
    """
    messages = _messages(row, spec)
    turns = tuple(_turn(message, number) for number, message in enumerate(messages, start=1))
    # A role that only tools bring is told by its own name, when the turns are settled.
    if _has_tools(row.get("tools")) and all(is_known(turn.role) for turn in turns):
        raise RowError("unread-key", _("format `chat` cannot keep the field `tools`"))
    system = as_text(row.get("system"), "system")
    return Draft(turns if is_blank(system) else (Turn("system", system), *turns))


def _has_tools(value: Any) -> bool:
    """Whether tools are offered: a list, or a list as JSON text as ShareGPT files have it."""
    return value.strip() not in ("", "[]") if isinstance(value, str) else bool(value)


def _messages(row: Mapping[str, Any], spec: Spec) -> list[Any]:
    found = {name: row[name] for name in (spec.messages, SHAREGPT) if row.get(name) is not None}
    if not found:
        what = _("no field `{field}` or `{other}`; the row has: {found}")
        found_names = ", ".join(row) or "-"
        reason = what.format(field=spec.messages, other=SHAREGPT, found=found_names)
        raise RowError("missing-field", reason)
    if len(found) > 1:
        what = _("two conversations in one row: `{field}` and `{other}`")
        raise RowError("two-chats", what.format(field=spec.messages, other=SHAREGPT))
    field, messages = found.popitem()
    if not isinstance(messages, list):
        what = _("field `{field}`: found {found}, expected a list of messages")
        raise RowError("type", what.format(field=field, found=type_name(messages)))
    return messages


def _turn(message: Any, number: int) -> Turn:
    if not isinstance(message, dict):
        what = _("message {number}: found {found}, expected an object with a role and a text")
        raise RowError("type", what.format(number=number, found=type_name(message)))
    unread = [key for key in UNREAD if message.get(key) is not None]
    if unread:
        what = _("message {number}: format `chat` cannot keep the key `{key}`")
        raise RowError("unread-key", what.format(number=number, key=unread[0]))
    role, text = _only(message, ROLE_KEYS, number), _only(message, TEXT_KEYS, number)
    place = _("messages, {number}").format(number=number)
    return Turn(as_text(role, f"{place}: role"), as_text(text, f"{place}: content"))


def _only(message: Mapping[str, Any], keys: tuple[str, str], number: int) -> Any:
    """The value of the one key of the two spellings that is there; null if neither is."""
    values = [message[key] for key in keys if message.get(key) is not None]
    if len(values) > 1:
        what = _("message {number}: both `{first}` and `{second}` are given")
        reason = what.format(number=number, first=keys[0], second=keys[1])
        raise RowError("two-spellings", reason)
    return values[0] if values else None
