"""What of a recipe's values makes a run what it is.

On how many processes, who is told, and how many questions are answered at once are no part of it:
a run goes on with any, as one must whose evaluation ran out of memory (C69).
"""

from collections.abc import Mapping
from typing import Any

ROOMS = ("compute", "track")
AT_ONCE = "evaluation.batch_size"


def deciding(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that decide, as a recipe has them with every default filled in."""
    room, _dot, name = AT_ONCE.partition(".")
    asked = {key: value for key, value in values.get(room, {}).items() if key != name}
    return {key: value for key, value in values.items() if key not in ROOMS} | {room: asked}


def decides(key: str) -> bool:
    """Whether a value, named as in `--set`, makes another run."""
    return key != AT_ONCE and key.partition(".")[0] not in ROOMS
