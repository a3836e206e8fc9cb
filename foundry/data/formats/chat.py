"""Format `chat`: a row holds a list of messages, as chat interfaces and ShareGPT files have it.

Every spelling of a message is read by `foundry/data/messages.py`, tool calls included: OpenAI's
`tools` with `tool_calls` and the role `tool`, and ShareGPT's roles `function_call` and
`observation` with `tools` as JSON text. Roles are settled in `foundry/data/turns.py`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from foundry.core.fields import Closed
from foundry.data.columns import CHATS, Columns
from foundry.data.draft import Draft
from foundry.data.messages import find_chat, is_chat, read_turns, with_system
from foundry.data.tool_calls import RESPELLED, find_tools, read_tools

PAIR = ("chosen", "rejected")


class Spec(Closed):
    """Which fields hold the messages and the tools."""

    messages: str = Field(
        "messages",
        min_length=1,
        description="Field with the list of messages. A row without it may have another of the "
        "usual names, such as `conversations`.",
    )
    tools: str | None = Field(
        None,
        min_length=1,
        description="Field with the tools on offer, as a list or as JSON text; `tools` where "
        "absent, and a row may have none.",
    )


def columns(spec: Spec) -> tuple[str, ...]:
    """The columns that the data must have, where the recipe itself names one."""
    named = spec.messages if "messages" in spec.model_fields_set else None
    return tuple(name for name in (named, spec.tools) if name is not None)


def guess(sample: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Certain if most rows have one list of messages, and no better and worse answer or label."""
    columns = Columns(sample)
    chats = [name for name in columns.named(CHATS) if any(is_chat(row.get(name)) for row in sample)]
    if not columns.most(lambda row: sum(is_chat(row.get(name)) for name in chats) == 1):
        return None
    if columns.named(PAIR) or any(columns.holds(name, bool) for name in columns.found):
        return None
    return {"messages": chats[0]} if len(chats) == 1 else {}


def to_draft(row: Mapping[str, Any], spec: Spec) -> Draft:
    """The messages in order with their roles as written, the row's own `system` text first.

    Raises:
        RowError: No list of messages, or something in it that cannot be read or kept.
    """
    respelled: list[str] = []
    field, messages = find_chat(row, spec.messages)
    turns = read_turns(messages, field, respelled)
    return Draft(
        with_system(row, turns),
        tools=read_tools(find_tools(row, spec.tools), respelled),
        notices=tuple((RESPELLED, number) for number in respelled),
    )
