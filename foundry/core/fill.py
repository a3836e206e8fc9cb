"""Write a recipe out with every default in it, and behind each value where it came from."""

from collections.abc import Iterator, Mapping
from typing import Any

from foundry.core import scalars
from foundry.core.load import LoadedRecipe
from foundry.core.yaml_places import Path, dotted

INDENT = "  "


def fill(loaded: LoadedRecipe) -> str:
    """The recipe as YAML without `extends`; loading it gives an equal recipe.

    Paths stay as written, so the text belongs beside the original.
    """
    return "".join(f"{line}\n" for line in _block(loaded.values, loaded.origins, ()))


def _block(values: Mapping[str, Any], origins: Mapping[str, str], path: Path) -> Iterator[str]:
    for key, value in values.items():
        yield from _entry(f"{scalars.write(key)}:", value, origins, (*path, key))


def _entry(head: str, value: Any, origins: Mapping[str, str], path: Path) -> Iterator[str]:
    """A key (or the dash of an item) with its value: on its line, or indented below."""
    if isinstance(value, Mapping) and value:
        yield head
        yield from (INDENT + line for line in _block(value, origins, path))
    elif isinstance(value, list) and value:
        yield head
        for index, item in enumerate(value):
            yield from (INDENT + line for line in _item(item, origins, (*path, index)))
    else:
        empty = "{}" if isinstance(value, Mapping) else "[]"
        text = empty if isinstance(value, Mapping | list) else scalars.write(value)
        yield f"{head} {text}  # {origins[dotted(path)]}"


def _item(value: Any, origins: Mapping[str, str], path: Path) -> Iterator[str]:
    if not isinstance(value, Mapping) or not value:
        yield from _entry("-", value, origins, path)
        return
    for number, line in enumerate(_block(value, origins, path)):
        yield ("- " if number == 0 else INDENT) + line
