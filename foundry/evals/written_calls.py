"""The tool calls that an answer writes, in the form of whichever family wrote it.

An answer is text, decoded without control tokens, so a form is known by what is left of it:

- `<tool_call>{"name": ..., "arguments": {...}}</tool_call>`: Hermes, which templates without a
  place for tools get (`foundry/encode/tools.py`), Qwen, SmolLM; Granite and Mistral 3 as a list;
- `{"name": ..., "parameters": {...}}` alone: Llama 3;
- `name[ARGS]{...}`: Ministral; `to=functions.name ... {...}`: gpt-oss;
- `[{"name": {...}}]`: Apertus; `call:name{key:<|"|>text<|"|>}`: Gemma 4;
- `<function=name><parameter=key>...`: Qwen3.5;
- `[name(key='text')]` and `name({...})`: LFM2, OLMo 3.

`tests/evals/test_written_calls.py` renders one call with every template and reads it back.
"""

import ast
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from foundry.core.records import ToolCall
from foundry.data.rows import RowError
from foundry.data.tool_calls import read_calls
from foundry.evals.relaxed import parameter_value, relaxed_object

THOUGHT = re.compile(r"<think>.*?</think>|^.*?</think>|<think>.*\Z", re.DOTALL)
OPENS = re.compile(
    r"<\|?tool_calls?(?:_start)?\|?>|<function_calls>|<\|tools_prefix\|>|<\|python_tag\|>"
    r"|\[TOOL_CALLS\]"
)
CLOSES = re.compile(
    r"</tool_calls?>|<\|/tool_call\|>|<tool_call\|>|<\|tool_call_end\|>|</function_calls>"
    r"|<\|tools_suffix\|>|<\|tool_response>|<\|(?:call|eom_id|eot_id|im_end|end)\|>"
)
HARMONY = re.compile(
    r"to=functions\.([\w.-]+?)\s*(?:<\|channel\|>)?(?:commentary|analysis)?"
    r"\s*(?:<\|constrain\|>)?\s*(?:json)?\s*(?:<\|message\|>)?\s*(?=\{)"
)
FUNCTION = re.compile(r"<function=([^>\s]+)>(.*?)</function>", re.DOTALL)
PARAMETER = re.compile(r"<parameter=([^>\s]+)>\n?(.*?)\n?</parameter>", re.DOTALL)
CALLED = re.compile(r"call:([\w.-]+)\s*(?=\{)")
NAMED = re.compile(r"([\w.-]+)\s*(?:\[ARGS\])?\s*(?=\{)")
LOOKS_LIKE_ONE = re.compile(r'^[\[{]\s*(?:\{\s*)?"(?:name|function|arguments|parameters|type)"')
FIRST_KEY = re.compile(r'\[?\s*\{\s*"([^"]*)"\s*:')
CONSTANTS = {"true": True, "false": False, "null": None}
DECODER = json.JSONDecoder()

Tools = Mapping[str, Mapping[str, Any]]
Calls = list[ToolCall]


class Malformed(Exception):
    """Something that begins as a call and cannot be read as one."""


@dataclass(frozen=True)
class Written:
    """The calls of an answer in their order; `malformed` where one of them cannot be read."""

    calls: tuple[ToolCall, ...] = ()
    malformed: bool = False


def read_written(text: str, tools: Sequence[Mapping[str, Any]]) -> Written:
    """The calls in an answer to a conversation in which `tools` are offered (OpenAI's form)."""
    known = {tool["function"]["name"]: tool["function"] for tool in tools}
    said = THOUGHT.sub("", text).strip()
    try:
        return Written(tuple(_calls(said, known)))
    except (Malformed, RecursionError):
        return Written(malformed=True)


def _calls(said: str, known: Tools) -> Calls:
    if "to=functions." in said:
        return _after_heads(said, HARMONY)
    if OPENS.search(said):
        bodies = [CLOSES.split(part)[0].strip() for part in OPENS.split(said)[1:]]
        # A template that writes the mark twice, or a list of calls, leaves an empty piece.
        found = [call for body in bodies if body for call in _of_block(body, known)]
        if not found:
            raise Malformed
        return found
    return _of_plain_text(CLOSES.split(said)[0].strip(), known)


def _of_block(body: str, known: Tools) -> Calls:
    """The calls between two marks, of which there must be some."""
    for read in (_json, _tagged, _gemma, _named, _pythonic):
        found = read(body, known)
        if found:
            return found
    raise Malformed


def _of_plain_text(said: str, known: Tools) -> Calls:
    """The calls of a text without marks; a text that does not begin as a call has none."""
    fenced = re.fullmatch(r"```(?:json|tool_call)?\n(.*?)\n?```", said, re.DOTALL)
    body = fenced[1].strip() if fenced else said
    name = re.match(r"\[?\s*(?:call:)?([\w.-]+)\s*(?:\[ARGS\])?\s*[({]", body)
    if "<function=" in body or LOOKS_LIKE_ONE.match(body) or (name and name[1] in known):
        return _of_block(body, known)
    return _json_of_known(body, known) if body[:1] in "[{" and body else []


def _json(body: str, known: Tools) -> Calls | None:
    """JSON values one after the other, with white space, `,` or `;` between them."""
    if body[:1] not in ("{", "["):
        return None
    found: Calls = []
    for value in _values(body):
        try:
            found += read_calls(value, [])
        except RowError:
            found += _keyed(value, known)
    return found


def _json_of_known(body: str, known: Tools) -> Calls:
    """JSON whose keys are tools; JSON with another first key is an answer like another."""
    first = FIRST_KEY.match(body)
    if first is None or first[1] not in known:
        return []
    return [call for value in _values(body) for call in _keyed(value, known)]


def _values(body: str) -> Iterator[str]:
    """The text of each JSON value."""
    at = 0
    while at < len(body):
        try:
            _value, end = DECODER.raw_decode(body, at)
        except ValueError:
            if _pythonic_list(body):
                return
            raise Malformed from None
        yield body[at:end]
        rest = body[end:].lstrip(" \t\r\n,;")
        at = len(body) - len(rest)


def _pythonic_list(body: str) -> bool:
    return re.match(r"\[\s*[A-Za-z_][\w.]*\s*\(", body) is not None


def _keyed(value: str, known: Tools) -> Calls:
    """Apertus: the name of the tool is the key of its arguments."""
    parsed = json.loads(value)
    found = []
    for one in parsed if isinstance(parsed, list) else [parsed]:
        pairs = list(one.items()) if isinstance(one, dict) else []
        if len(pairs) != 1 or pairs[0][0] not in known or not isinstance(pairs[0][1], dict):
            raise Malformed
        found.append(ToolCall(*pairs[0]))
    return found


def _tagged(body: str, known: Tools) -> Calls | None:
    """Qwen3.5: each parameter in a tag, its type that of the tool's definition."""
    if "<function=" not in body:
        return None
    found = []
    for name, inner in FUNCTION.findall(body):
        schema = known.get(name, {}).get("parameters", {}).get("properties", {})
        pairs = PARAMETER.findall(inner)
        found.append(ToolCall(name, {k: parameter_value(v, schema.get(k, {})) for k, v in pairs}))
    return found


def _gemma(body: str, known: Tools) -> Calls | None:
    """Gemma 4: keys without quotes, texts between `<|"|>`, which decoding may have removed."""
    if not body.startswith("call:"):
        return None
    found = []
    for head in CALLED.finditer(body):
        schema = known.get(head[1], {}).get("parameters", {}).get("properties", {})
        found.append(ToolCall(head[1], _read(relaxed_object, body[head.end() :], schema)))
    return found


def _named(body: str, known: Tools) -> Calls | None:
    """Ministral: a name, then its arguments as JSON."""
    return _after_heads(body, NAMED) if NAMED.match(body) else None


def _after_heads(text: str, head: re.Pattern[str]) -> Calls:
    """A call for each head, with the JSON object behind it; braces inside one are no heads."""
    found, at = [], 0
    while match := head.search(text, at):
        try:
            arguments, at = DECODER.raw_decode(text, match.end())
        except ValueError:
            raise Malformed from None
        found.append(ToolCall(match[1], arguments))
    if not found:
        raise Malformed
    return found


def _pythonic(body: str, known: Tools) -> Calls | None:
    """Calls as Python writes them, in a list or a line each."""
    try:
        trees = [node.value for node in ast.parse(body).body if isinstance(node, ast.Expr)]
    except (SyntaxError, ValueError, MemoryError):
        return None
    nodes = [one for tree in trees for one in (tree.elts if isinstance(tree, ast.List) else [tree])]
    calls = [_python_call(node) for node in nodes if isinstance(node, ast.Call)]
    return calls if calls and len(calls) == len(nodes) else None


def _python_call(node: ast.Call) -> ToolCall:
    arguments = {word.arg: _literal(word.value) for word in node.keywords if word.arg}
    if node.args:
        whole = _literal(node.args[0])
        if len(node.args) > 1 or arguments or not isinstance(whole, dict):
            raise Malformed
        arguments = whole
    return ToolCall(ast.unparse(node.func), arguments)


def _literal(node: ast.expr) -> Any:
    """The value of a literal, `true`, `false` and `null` among them."""

    class Constants(ast.NodeTransformer):
        def visit_Name(self, name: ast.Name) -> ast.AST:
            return ast.Constant(CONSTANTS[name.id]) if name.id in CONSTANTS else name

    return _read(ast.literal_eval, Constants().visit(node))


def _read(read: Callable[..., Any], *given: Any) -> Any:
    try:
        return read(*given)
    except (ValueError, TypeError, SyntaxError) as error:
        raise Malformed from error
