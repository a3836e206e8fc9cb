"""Tool calls and tool definitions as files spell them, read into one form (cases.md C59).

A call is `{name, arguments}` or OpenAI's `{id, type, function: {name, arguments}}`; its arguments
are an object, or the same object as JSON text. A definition is OpenAI's `{type, function}`, or the
inner object alone as ShareGPT files have it. Either may be a list, or the list as JSON text.

Source: https://platform.openai.com/docs/guides/function-calling; LLaMA-Factory's data/README.md.
"""

from collections.abc import Mapping
from typing import Any

from foundry.core.language import gettext as _
from foundry.core.records import ToolCall
from foundry.data.rows import RowError, as_text, is_blank, type_name
from foundry.data.strict_json import JsonFault, parse, plain

CALL, TOOLS = "tool-call", "tools"  # codes of refusal
RESPELLED = "number-respelled"  # a notice: 1.50 in a call or a definition is written out as 1.5
TOOL_FIELDS = ("tools", "functions")  # the second is OpenAI's name until 2023
ARGUMENTS = ("arguments", "parameters")


def read_calls(value: Any, respelled: list[str]) -> tuple[ToolCall, ...]:
    """The calls in a list, in one object, or in the JSON text of either.

    Args:
        value: As the file has it; null and an empty list are no call.
        respelled: Gets the numbers that are written differently from how they are printed.

    Raises:
        RowError: A call is malformed; the reason says which and why.
    """
    try:
        found = parse(value) if isinstance(value, str) else value
    except JsonFault as error:
        raise _bad_call(str(error)) from error
    calls = found if isinstance(found, list) else [] if found is None else [found]
    return tuple(_call(call, respelled) for call in calls)


def find_tools(row: Mapping[str, Any], column: str | None) -> Any:
    """What a row says of tools: in `column`, or in a field of the usual names where it is None."""
    fields = TOOL_FIELDS if column is None else (column,)
    return next((row[name] for name in fields if row.get(name) is not None), None)


def read_tools(value: Any, respelled: list[str]) -> tuple[Mapping[str, Any], ...]:
    """The tools on offer, in OpenAI's form; none for null, an empty list or a blank text.

    Raises:
        RowError: A definition is malformed or has no name.
    """
    if is_blank(value):
        return ()
    try:
        found = plain(parse(value) if isinstance(value, str) else value, respelled)
    except JsonFault as error:
        what = _("the tools cannot be read: {fault}")
        raise RowError(TOOLS, what.format(fault=error)) from error
    if not isinstance(found, list):
        what = _("the tools cannot be read: found {found}, expected a list of definitions")
        raise RowError(TOOLS, what.format(found=type_name(found)))
    return tuple(_tool(tool, number) for number, tool in enumerate(found, start=1))


def _call(value: Any, respelled: list[str]) -> ToolCall:
    if not isinstance(value, dict):
        what = _("found {found}, expected an object with a name and arguments")
        raise _bad_call(what.format(found=type_name(value)))
    kind = value.get("type")
    if kind not in (None, "function"):
        raise _bad_call(_("`{kind}` is no kind of call, `function` is").format(kind=kind))
    function = value["function"] if value.get("function") is not None else value
    name = function.get("name") if isinstance(function, dict) else None
    if not isinstance(name, str) or is_blank(name):
        raise _bad_call(_("the call names no function"))
    written = [function[key] for key in ARGUMENTS if function.get(key) is not None]
    if len(written) > 1:
        what = _("both `{first}` and `{second}` are given")
        raise _bad_call(what.format(first=ARGUMENTS[0], second=ARGUMENTS[1]))
    try:
        arguments = _arguments(written[0] if written else {}, respelled)
    except JsonFault as error:
        what = _("arguments of `{name}`: {fault}")
        raise _bad_call(what.format(name=name, fault=error)) from error
    return ToolCall(name, arguments, as_text(value.get("id"), "id"))


def _arguments(value: Any, respelled: list[str]) -> Mapping[str, Any]:
    if is_blank(value):  # what OpenAI's servers give for a function without parameters
        return {}
    found = plain(parse(value) if isinstance(value, str) else value, respelled)
    if not isinstance(found, dict):
        raise JsonFault(_("found {found}, expected an object").format(found=type_name(found)))
    return found


def _tool(value: Any, number: int) -> Mapping[str, Any]:
    tool = value if isinstance(value, dict) else {}
    if isinstance(tool.get("function"), dict) and isinstance(tool["function"].get("name"), str):
        return {"type": "function", **tool}
    if isinstance(tool.get("name"), str) and tool.get("type") in (None, "function"):
        return {"type": "function", "function": {k: v for k, v in tool.items() if k != "type"}}
    what = _("tool {number}: expected a function with a name, as OpenAI writes it")
    raise RowError(TOOLS, what.format(number=number))


def _bad_call(what: str) -> RowError:
    return RowError(CALL, _("tool call: {what}").format(what=what))
