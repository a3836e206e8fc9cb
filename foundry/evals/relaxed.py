"""Values that models write without JSON's quotes: Gemma 4's arguments, Qwen3.5's parameters."""

import json
import re
from collections.abc import Mapping
from typing import Any

QUOTE = '<|"|>'
KEY = re.compile(r'\s*(?:<\|"\|>|")?([\w.-]+)(?:<\|"\|>|")?\s*:\s*')
BARE = re.compile(r"[^,\]}]*")
# A text whose quotes were control tokens goes on over a comma unless a key or the end follows.
BARE_TEXT = re.compile(r"(?:(?!,\s*[\w.-]+\s*:|\}).)*", re.DOTALL)


def parameter_value(text: str, schema: Mapping[str, Any]) -> Any:
    """A parameter's value: text where the schema says so, else JSON or Python's constant."""
    if schema.get("type") == "string":
        return text
    try:
        return json.loads({"True": "true", "False": "false", "None": "null"}.get(text, text))
    except ValueError:
        return text


def relaxed_object(text: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """The object `{key:value,...}` at the start of `text`; `schema` has the keys' types.

    Raises:
        ValueError: There is none.
    """
    return _object(text, 0, schema)[0]


def _object(text: str, at: int, schema: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
    made: dict[str, Any] = {}
    at += 1
    while text[at : at + 1] != "}":
        key = KEY.match(text, at)
        if key is None:
            raise ValueError(f"no key at {at}")
        made[key[1]], at = _value(text, key.end(), schema.get(key[1], {}))
        if text[at : at + 1] == ",":
            at += 1
    return made, at + 1


def _list(text: str, at: int) -> tuple[list[Any], int]:
    made = []
    at += 1
    while text[at : at + 1] != "]":
        if at >= len(text):
            raise ValueError("the list does not end")
        value, at = _value(text, at, {})
        made.append(value)
        if text[at : at + 1] == ",":
            at += 1
    return made, at + 1


def _value(text: str, at: int, schema: Mapping[str, Any]) -> tuple[Any, int]:
    if text.startswith(QUOTE, at):
        end = text.find(QUOTE, at + len(QUOTE))
        if end < 0:
            raise ValueError("the text does not end")
        return text[at + len(QUOTE) : end], end + len(QUOTE)
    if text[at : at + 1] == '"':
        return json.JSONDecoder().raw_decode(text, at)
    if text[at : at + 1] == "{":
        return _object(text, at, schema.get("properties", {}))
    if text[at : at + 1] == "[":
        return _list(text, at)
    pattern = BARE_TEXT if schema.get("type") == "string" else BARE
    found = pattern.match(text, at)
    assert found is not None
    if found.end() >= len(text):
        raise ValueError("the value does not end")
    return parameter_value(found[0].strip(), schema), found.end()
