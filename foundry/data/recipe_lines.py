"""A setting as a line that can be pasted into a recipe, whatever names stand in it."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import yaml

from foundry.core.fields import Closed


def recipe_line(key: str, kind: str, values: Mapping[str, Any]) -> str:
    """A block on one line: `format: {kind: text, text: '2024'}`."""
    block = yaml.safe_dump(
        {"kind": kind, **values},
        default_flow_style=True,
        allow_unicode=True,
        sort_keys=False,
        width=2**31,
    )
    return f"{key}: {block.strip()}"


@lru_cache(maxsize=16)  # a table may tell it of each row, and PyYAML takes 0.3 ms
def read_line(kind: str, spec: Closed, **changed: Any) -> str:
    """How to read a file as a fix shows it: what the recipe says already, and what it should."""
    said = spec.model_dump(mode="json", exclude_defaults=True)
    return f"`{recipe_line('read', kind, {**said, **changed})}`"
