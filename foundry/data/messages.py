"""A message of a chat in any of its spellings, read into a turn (cases.md C53, C57, C59).

A message is `{role, content}` or `{from, value}`, or a mixture of the two. Content is a text or a
list of parts, whose texts are joined as they stand. A key that is null is as good as absent. What
changes the lesson and cannot be kept refuses the row.

Thoughts are kept apart where the file keeps them apart: in `reasoning_content` and the like, or in
a part of their own. `<think>` inside a text stays text, byte for byte: whether it is taken out
again is for the template of the model, and one that knows no thoughts would lose it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from foundry.core.language import gettext as _
from foundry.core.records import ToolCall, Turn
from foundry.data.columns import CHATS
from foundry.data.rows import JsonNumber, RowError, as_text, is_blank, type_name
from foundry.data.tool_calls import read_calls
from foundry.data.turns import is_caller, role_of

ROLE_KEYS, TEXT_KEYS = ("role", "from"), ("content", "value")
REASONING_KEYS = ("reasoning_content", "reasoning", "thinking")
CALL_KEYS = ("tool_calls", "function_call")
REASONING_PARTS, CALL_PART = ("reasoning", "thinking"), "tool_call"
# What has no place in a turn: a trained-or-not flag, an answer refused, sound.
UNREAD = ("refusal", "audio")
WEIGHTS, ONE = ("weight", "loss_weight"), (None, JsonNumber("1"), JsonNumber("1.0"))


def is_message(value: Any) -> bool:
    """Whether this looks like a message: an object with a role and something said."""
    return isinstance(value, dict) and any(value.get(key) is not None for key in ROLE_KEYS)


def is_chat(value: Any) -> bool:
    """Whether this looks like a chat: a list of messages."""
    return isinstance(value, list) and bool(value) and all(is_message(item) for item in value)


def find_chat(row: Mapping[str, Any], field: str) -> tuple[str, Any]:
    """The field that holds the row's chat, `field` or one of the usual names, and what it holds.

    Raises:
        RowError: No such field, or two.
    """
    found = {name: row[name] for name in (field, *CHATS) if row.get(name) is not None}
    if not found:
        what = _("no field `{field}` or `{other}`; the row has: {found}")
        other = "`, `".join(name for name in CHATS if name != field)
        reason = what.format(field=field, other=other, found=", ".join(row) or "-")
        raise RowError("missing-field", reason)
    if len(found) > 1:
        what = _("two conversations in one row: `{field}` and `{other}`")
        field, other = list(found)[:2]
        raise RowError("two-chats", what.format(field=field, other=other))
    return found.popitem()


def with_system(
    row: Mapping[str, Any], turns: tuple[Turn, ...], column: str | None = None
) -> tuple[Turn, ...]:
    """The turns after the system text that the row has in `column` (`system` if None), if any."""
    column = column or "system"
    text = as_text(row.get(column), column)
    return turns if is_blank(text) else (Turn("system", text), *turns)


def read_turns(messages: Any, field: str, respelled: list[str]) -> tuple[Turn, ...]:
    """The messages in order, with their roles as written.

    Args:
        messages: As the file has it.
        field: The column, for a reason.
        respelled: Gets the numbers that are written differently from how they are printed.

    Raises:
        RowError: No list of messages, or a message that cannot be read; the reason counts from 1.
    """
    if not isinstance(messages, list):
        what = _("field `{field}`: found {found}, expected a list of messages")
        raise RowError("type", what.format(field=field, found=type_name(messages)))
    turns: list[Turn] = []
    try:
        for message in messages:
            turns.append(read_turn(message, respelled))
    except RowError as error:
        what = _("message {number}: {reason}")
        reason = what.format(number=len(turns) + 1, reason=error.reason)
        raise RowError(error.code, reason) from error
    return tuple(turns)


def read_turn(message: Any, respelled: list[str]) -> Turn:
    """One message as a turn.

    Raises:
        RowError: It is no message, or has something that cannot be kept.
    """
    if not isinstance(message, dict):
        what = _("found {found}, expected an object with a role and a text")
        raise RowError("type", what.format(found=type_name(message)))
    _refuse_unread(message)
    role = as_text(_only(message, ROLE_KEYS), "role")
    known, content = role_of(role), _only(message, TEXT_KEYS)
    said = _Said(respelled)
    if known == "assistant":
        said.calls.extend(read_calls(_only(message, CALL_KEYS), respelled))
    if is_caller(role):
        said.calls.extend(read_calls(content, respelled))
    else:
        said.take(content)
    _refuse_misplaced(message, known, said)
    return Turn(
        role,
        "".join(said.texts),
        reasoning="".join([_thoughts(message), *said.thoughts]),
        tool_calls=tuple(said.calls),
        name=as_text(message.get("name"), "name"),
        call_id=as_text(message.get("tool_call_id"), "tool_call_id"),
    )


@dataclass
class _Said:
    """What one message says, as its parts come."""

    respelled: list[str]
    texts: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    calls: list[ToolCall] = field(default_factory=list)

    def take(self, content: Any) -> None:
        """Add the content of a message: a text, or a list of parts."""
        if not isinstance(content, list):
            self.texts.append(as_text(content, "content"))
            return
        for part in content:
            self._take_part(part)

    def _take_part(self, part: Any) -> None:
        kind = part.get("type") if isinstance(part, dict) else None
        if not isinstance(part, dict) or not isinstance(kind, str):
            what = _("found {found} in the content, expected a text or parts with a type")
            raise RowError("type", what.format(found=type_name(part)))
        if kind == "text":
            self.texts.append(as_text(_only(part, ("text", "value")), kind))
        elif kind in REASONING_PARTS:
            self.thoughts.append(as_text(_only(part, ("text", "value", kind)), kind))
        elif kind == CALL_PART:
            self.calls.extend(read_calls(_only(part, ("value", CALL_PART)), self.respelled))
        else:
            what = _("a part of kind `{kind}` cannot be kept; text, reasoning and tool_call can")
            raise RowError("content-part", what.format(kind=kind))


def _thoughts(message: Mapping[str, Any]) -> str:
    """What was thought, which servers give under two names at once."""
    given = {key: as_text(message.get(key), key) for key in REASONING_KEYS}
    texts = list(dict.fromkeys(text for text in given.values() if text))
    if len(texts) > 1:
        _refuse_both([key for key, text in given.items() if text])
    return texts[0] if texts else ""


def _refuse_unread(message: Mapping[str, Any]) -> None:
    """Refuse what has no place in a turn, and a weight that says not to learn it."""
    unread = [key for key in UNREAD if message.get(key) is not None]
    unread += [key for key in WEIGHTS if message.get(key) not in ONE]
    if unread:
        what = _("format `chat` cannot keep the key `{key}`")
        raise RowError("unread-key", what.format(key=unread[0]))


def _refuse_misplaced(message: Mapping[str, Any], role: str | None, said: _Said) -> None:
    """Refuse what only an assistant may say, or only a tool, where another role says it."""
    keys = () if role == "assistant" else (*CALL_KEYS, *REASONING_KEYS)
    keys = keys if role == "tool" else (*keys, "tool_call_id")
    misplaced = [key for key in keys if message.get(key) not in (None, [], "")]
    if role != "assistant":
        misplaced += [CALL_PART] * bool(said.calls) + [REASONING_PARTS[0]] * bool(said.thoughts)
    if misplaced and role:
        what = _("`{key}` is not for the role `{role}`")
        raise RowError("misplaced-key", what.format(key=misplaced[0], role=role))


def _only(values: Mapping[str, Any], keys: Sequence[str]) -> Any:
    """The value of the one key of the spellings that is there; null if none is."""
    found = [key for key in keys if values.get(key) is not None]
    if len(found) > 1:
        _refuse_both(found)
    return values[found[0]] if found else None


def _refuse_both(keys: Sequence[str]) -> NoReturn:
    what = _("both `{first}` and `{second}` are given")
    raise RowError("two-spellings", what.format(first=keys[0], second=keys[1]))
