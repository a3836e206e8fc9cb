"""What an unquoted word of a recipe means: the core schema of YAML 1.2, and back again.

PyYAML follows YAML 1.1, which reads `1e-4` as text, `no` as False and `010` as eight (C62).
Source: https://yaml.org/spec/1.2.2/#1032-tag-resolution.
"""

import json
import re
from typing import TypeAlias

Scalar: TypeAlias = bool | int | float | str | None

MAX_DIGITS = 400  # above this a number is infinite as a float, and Python refuses 4300 digits

NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NULL = re.compile(r"null|Null|NULL|~|")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_INTEGER = re.compile(r"[-+]?[0-9]+")
_OTHER_BASE = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
# Text that needs no quotes: no indicator, no `: ` or ` #`, no spaces at the ends.
_SAFE = re.compile(r"[\w/.(（「][\w/.()（）「」、。，！？：；_+@%=-]*( [\w/.()_+@%=-]+)*")


def read(text: str) -> Scalar:
    """The value of a plain scalar."""
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text) or _FALSE.fullmatch(text):
        return text[0] in "tT"
    if len(text) > MAX_DIGITS:
        return text
    if _INTEGER.fullmatch(text):
        return int(text)
    if _OTHER_BASE.fullmatch(text):
        return int(text, 0)
    if NUMBER.fullmatch(text):
        return float(text)
    if _NOT_FINITE.fullmatch(text):
        return float(text.replace(".", "", 1))
    return text


def write(value: Scalar) -> str:
    """`value` as a scalar that `read` gives back; text is quoted only where it must be."""
    if isinstance(value, str):
        plain = _SAFE.fullmatch(value) and read(value) == value
        return value if plain else json.dumps(value, ensure_ascii=False)
    if isinstance(value, float):
        return str(int(value)) + ".0" if value.is_integer() and abs(value) < 1e15 else repr(value)
    return json.dumps(value)
