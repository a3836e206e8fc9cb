"""Which examples say the same, and which ask the same and answer otherwise (cases.md C27)."""

import unicodedata
from typing import Any, NamedTuple

from foundry.core.atomic import fingerprint
from foundry.core.records import Example, Turn


class TextKeys(NamedTuple):
    """Hex SHA-256 of what an example says."""

    whole: str
    """Equal for examples from which the same is learned."""
    prompt: str
    """Equal for examples with the same prompt, whatever the answer; a text is its own prompt.

    A split goes by this key: another key for the same conversation would move its row to the other
    side.
    """


def text_keys(example: Example) -> TextKeys:
    """The keys by which an example is told from others."""
    if example.text:
        key = fingerprint(normalise(example.text))
        return TextKeys(key, key)
    said = [_said(turn) for turn in example.messages]
    tools = [{"tools": example.tools}] if example.tools else []
    beside: list[Any] = [*tools]
    if example.rejected is not None:
        beside.append({"rejected": _said(example.rejected)})
    if example.label is not None:
        beside.append({"label": example.label})
    return TextKeys(fingerprint([*said, *beside]), fingerprint([*said[:-1], *tools]))


def normalise(text: str) -> str:
    """The form in which texts are compared: NFKC, no capitals, each stretch of space one blank.

    Only for keys; the text that is stored and trained stays as written.
    """
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _said(turn: Turn) -> list[Any]:
    """Who says what; without the ids of calls, which differ in every recording."""
    said = [turn.role, normalise(turn.content)]
    if turn.reasoning or turn.tool_calls or turn.name:
        calls = [[call.name, call.arguments] for call in turn.tool_calls]
        return [*said, normalise(turn.reasoning), calls, turn.name]
    return said
