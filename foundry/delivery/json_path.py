"""JSON paths with one result (RFC 9535): names and indexes, as claims write them."""

import re
from typing import Any

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
STEP = re.compile(r"\.([A-Za-z_][A-Za-z0-9_]*)|\[(\d+)\]|\['((?:[^'\\]|\\.)*)'\]", re.DOTALL)


def step(key: str | int) -> str:
    """One step of a path."""
    if isinstance(key, int):
        return f"[{key}]"
    if NAME.fullmatch(key):
        return f".{key}"
    escaped = key.replace("\\", "\\\\").replace("'", "\\'")
    return f"['{escaped}']"


def resolve(value: Any, path: str) -> Any:
    """The value at a path.

    Raises:
        LookupError: It is not there.
        ValueError: The path has another form.
    """
    if not path.startswith("$"):
        raise ValueError(path)
    at = 1
    while at < len(path):
        match = STEP.match(path, at)
        if match is None:
            raise ValueError(path)
        value = _inside(value, match)
        at = match.end()
    return value


def _inside(value: Any, match: re.Match[str]) -> Any:
    name, index, quoted = match.groups()
    if not isinstance(value, dict if index is None else list):
        raise LookupError(match.group())
    if index is not None:
        return value[int(index)]
    return value[name if quoted is None else re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL)]
