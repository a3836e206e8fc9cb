"""An answer as one JSON value, as a program reads it: bare, or in its only code fence."""

import re
from typing import Any

from foundry.data.strict_json import JsonFault, parse, plain

FENCE = re.compile(r"```[ \t]*(?:json)?[ \t]*\n(.*?)\n?[ \t]*```", re.DOTALL | re.IGNORECASE)


def read_answer(text: str) -> tuple[bool, Any]:
    """Whether a text is one JSON value, and the value; see `strict_json`."""
    fenced = FENCE.findall(text)
    try:
        return True, plain(parse(fenced[0] if len(fenced) == 1 else text), [])
    except (JsonFault, RecursionError):
        return False, None
