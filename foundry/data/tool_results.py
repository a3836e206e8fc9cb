"""Link each tool result to the call it answers, by id, by name, or by order.

Calls without an id get `call00001` and so on, counted through the conversation: nine characters,
the length that the templates of Mistral ask for
(https://github.com/mistralai/mistral-common, `validate_tool_call_id` of the v3 validator).
An id that the data have stays as written.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count

from foundry.core.language import gettext as _
from foundry.core.records import ToolCall, Turn
from foundry.data.rows import RowError

FEWER_RESULTS = "fewer-tool-results"


def link(turns: Sequence[Turn]) -> tuple[tuple[Turn, ...], tuple[tuple[str, str], ...]]:
    """The turns with ids on every call and on every result, and notices.

    `fewer-tool-results` is a turn with several calls that fewer results follow, as where one
    result answers them all.

    Args:
        turns: In an order that `settle` accepts: results only after a call or a result.

    Raises:
        RowError: A result answers no call, or two calls have one id.
    """
    linked: list[Turn] = []
    open_calls: list[ToolCall] = []
    notices: list[tuple[str, str]] = []
    for turn in _with_ids(turns):
        if turn.role == "tool":
            call = _answered(turn, open_calls)
            open_calls.remove(call)
            linked.append(replace(turn, call_id=call.id, name=turn.name or call.name))
            continue
        if open_calls:
            notices.append((FEWER_RESULTS, ", ".join(call.name for call in open_calls)))
        open_calls = list(turn.tool_calls)
        linked.append(turn)
    return tuple(linked), tuple(notices)


def _with_ids(turns: Sequence[Turn]) -> Iterator[Turn]:
    taken = {call.id for turn in turns for call in turn.tool_calls}
    unused = (name for name in map("call{:05d}".format, count(1)) if name not in taken)
    for turn in turns:
        calls = tuple(
            call if call.id else replace(call, id=next(unused)) for call in turn.tool_calls
        )
        if len({call.id for call in calls}) < len(calls):
            raise RowError("tool-call", _("two tool calls of one turn have the same id"))
        yield replace(turn, tool_calls=calls) if calls else turn


def _answered(result: Turn, calls: Sequence[ToolCall]) -> ToolCall:
    """The call that a result answers: that of its id, else the first of its name, else the first.

    A name that is none of the calls' is a fault only where calls are left to choose from.
    """
    if not calls:
        raise RowError("result-without-call", _("more tool results than calls"))
    if result.call_id:
        named = [call for call in calls if call.id == result.call_id]
        what = _("a tool result answers the call `{id}`, which is not the one before it")
        reason = what.format(id=result.call_id)
    elif result.name:
        named = [call for call in calls if call.name == result.name]
        what = _("a tool result of `{name}` follows calls of: {known}")
        reason = what.format(name=result.name, known=", ".join(call.name for call in calls))
    else:
        return calls[0]
    if not named:
        raise RowError("result-without-call", reason)
    return named[0]
