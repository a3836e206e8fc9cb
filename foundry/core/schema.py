"""The JSON Schema of a recipe file, for editors: `# yaml-language-server: $schema=...`."""

from typing import Any

from foundry.core import shipped, unwritten
from foundry.core.recipe import Recipe

DIALECT = "https://json-schema.org/draft/2020-12/schema"

# Pydantic 2.14 writes its own names for the bounds of a number that may be null or is checked by
# a function first; JSON Schema would ignore them.
BOUNDS = {
    "gt": "exclusiveMinimum",
    "ge": "minimum",
    "lt": "exclusiveMaximum",
    "le": "maximum",
}


def schema() -> dict[str, Any]:
    """The schema of a recipe as a person writes it, with the plug-ins that are installed."""
    body = _with_bounds(Recipe.model_json_schema(by_alias=True))
    extends = {
        "description": "Fragments whose blocks the recipe takes over and may override.",
        "type": "array",
        "items": {"enum": list(shipped.fragment_names())},
    }
    body["properties"] = {"extends": extends, **body["properties"]}
    body["required"] = [key for key in body["required"] if key not in unwritten.KEYS]
    return {"$schema": DIALECT, **body}


def _with_bounds(node: Any) -> Any:
    if isinstance(node, list):
        return [_with_bounds(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        BOUNDS.get(key, key) if isinstance(value, int | float) else key: _with_bounds(value)
        for key, value in node.items()
    }
