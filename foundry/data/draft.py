"""What a format makes of a row, before `foundry/data/turns.py` settles its turns."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from foundry.core.records import Turn


@dataclass(frozen=True)
class Draft:
    """The conversation of a row with its roles as written; the fields of `Example` otherwise.

    `rejected` is the whole conversation that ends with the worse answer of a preference, as
    `turns` is that with the better one: whether both have one prompt is settled later, alike for
    rows that give the prompt once and for rows that give two chats (C25).
    """

    turns: tuple[Turn, ...] = ()
    rejected: tuple[Turn, ...] = ()
    label: bool | None = None
    margin: float | None = None
    tools: tuple[Mapping[str, Any], ...] = ()
    text: str = ""
    notices: tuple[tuple[str, str], ...] = ()
    """Codes of what a person should look at in this row, each with an example."""
