"""The JSON Schema of a recipe file, for editors: `# yaml-language-server: $schema=...`."""

from typing import Any

from foundry.core import shipped
from foundry.core.recipe import Recipe

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """The schema of a recipe as a person writes it, with the plug-ins that are installed."""
    body = Recipe.model_json_schema(by_alias=True)
    extends = {
        "description": "Fragments whose blocks the recipe takes over and may override.",
        "type": "array",
        "items": {"enum": list(shipped.fragment_names())},
    }
    body["properties"] = {"extends": extends, **body["properties"]}
    return {"$schema": DIALECT, **body}
