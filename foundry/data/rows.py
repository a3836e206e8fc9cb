"""What a source gives, row by row, before a format makes turns of it.

A source keeps text as the file has it. Numbers of a JSON file stay in the digits they were written
in (`JsonNumber`), so that 1.0, 007 in quotes and 12345678901234567890 all reach the prompt as they
stand (cases.md C48, C51).
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from foundry.core.language import gettext as _

BYTE_ORDER_MARK = "\ufeff"
SURROGATE = re.compile("[\ud800-\udfff]")
DEEPEST = 64  # lists and objects inside one another; a chat with tool calls has 6


@dataclass(frozen=True)
class JsonNumber:
    """A number of a JSON file as its source text: `4`, `1.0`, `1e5`."""

    text: str


SCALAR = (str, bool, JsonNumber)  # what `as_text` has a text for, apart from null


@dataclass(frozen=True)
class Row:
    """A row of a file; `line` counts from 1 and is the line on which the row begins."""

    line: int
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Blank:
    """A row in which nothing is written; counted, never an error (cases.md C50)."""

    line: int


@dataclass(frozen=True)
class Bad:
    """A row that cannot be read: a short code to count by, and the reason for a person."""

    line: int
    code: str
    reason: str


Item = Row | Blank | Bad


class RowError(Exception):
    """A row that cannot become an example: a short code to count by, and the reason."""

    def __init__(self, code: str, reason: str) -> None:
        self.code, self.reason = code, reason
        super().__init__(reason)


def text_of(values: Mapping[str, Any], field: str, *, optional: bool = False) -> str:
    """The text of `field`; empty for null, and for an absent field if it is `optional`.

    One policy for what is not text (cases.md C51): a number or a boolean becomes the text the
    JSON file has for it, `4` or `true`; a list or an object is refused.

    Raises:
        RowError: The field is absent (`missing-field`) or holds a list or object (`type`).
    """
    if field not in values and not optional:
        what = _("no field `{field}`; the row has: {found}")
        raise RowError("missing-field", what.format(field=field, found=", ".join(values) or "-"))
    return as_text(values.get(field), field)


def as_text(value: Any, field: str) -> str:
    """One value as text; a byte-order mark in front is dropped (cases.md C44).

    Raises:
        RowError: The value is a list or an object.
    """
    if isinstance(value, str):
        return value.removeprefix(BYTE_ORDER_MARK)
    if value is None:
        return ""
    if isinstance(value, bool | JsonNumber):
        return _json_text(value)
    what = _("field `{field}`: found {found}, expected text")
    raise RowError("type", what.format(field=field, found=type_name(value)))


def kept_text(value: Any) -> str:
    """A column as evaluators see it: text as it stands, a list or an object as JSON."""
    return _json_text(value) if isinstance(value, list | Mapping) else as_text(value, "")


def type_name(value: Any) -> str:
    """What a person calls the type of a value."""
    if isinstance(value, list):
        return _("a list")
    if isinstance(value, Mapping):
        return _("an object")
    if isinstance(value, JsonNumber):
        return _("a number")
    if isinstance(value, bool):
        return _("true or false")
    return _("text") if isinstance(value, str) else _("null")


def is_blank(value: Any) -> bool:
    """Whether nothing is written there: null, or text of nothing but space."""
    if isinstance(value, str):
        return not value.removeprefix(BYTE_ORDER_MARK).strip()
    return value is None


def unusable(values: list[Any]) -> tuple[str, str] | None:
    """What makes text unusable, anywhere in `values`: a code and a reason (cases.md C60)."""
    level = values
    for _depth in range(DEEPEST):
        for text in (value for value in level if isinstance(value, str)):
            if "\0" in text:
                return "nul", _("a NUL character stands in the text")
            if SURROGATE.search(text):
                return "lone-surrogate", _("half of a surrogate pair stands in the text")
        level = [inner for value in level for inner in _inside(value)]
        if not level:
            return None
    return "nested", too_deep()


def too_deep() -> str:
    """The sentence for lists and objects that are nested deeper than `DEEPEST`."""
    return _("lists and objects are nested more than {n} deep").format(n=DEEPEST)


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    return value if isinstance(value, list) else []


def _json_text(value: Any) -> str:
    if isinstance(value, JsonNumber):
        return value.text
    if isinstance(value, list):
        return f"[{', '.join(_json_text(item) for item in value)}]"
    if isinstance(value, Mapping):
        pairs = (f"{json.dumps(k, ensure_ascii=False)}: {_json_text(v)}" for k, v in value.items())
        return f"{{{', '.join(pairs)}}}"
    return json.dumps(value, ensure_ascii=False)
