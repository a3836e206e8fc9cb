"""Every key a recipe accepts, given the plug-ins it names: for suggestions and error messages."""

import types
from collections.abc import Iterator
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from foundry.core.blocks import Plugin
from foundry.core.recipe import Recipe
from foundry.core.yaml_places import Node, Path

Entry = tuple[Path, FieldInfo]


def outline(tree: Node | None, model: type[BaseModel] = Recipe) -> dict[Path, FieldInfo]:
    """Map each accepted path to its field; lists have the items that `tree` has, at least one."""
    return dict(_model(model, tree, ()))


def plugin_blocks() -> dict[Path, str | None]:
    """Where plug-in blocks stand, list indices as 0, with the kind meant where none is written."""
    blocks = {}
    for path, field in outline(None).items():
        mark = next((m for m in field.metadata if isinstance(m, Plugin)), None)
        if mark is not None and path[-1] == "kind":
            blocks[path[:-1]] = mark.default
    return blocks


def _model(model: type[BaseModel], node: Node | None, path: Path) -> Iterator[Entry]:
    for name, field in model.model_fields.items():
        key = field.alias or name
        yield (*path, key), field
        child = node.at(key) if node else None
        yield from _value(field.annotation, field.metadata, child, (*path, key))


def _value(annotation: Any, metadata: list[Any], node: Node | None, path: Path) -> Iterator[Entry]:
    plugin = next((m for m in metadata if isinstance(m, Plugin)), None)
    arguments = get_args(annotation)
    if plugin is not None:
        yield from _block(plugin, node, path)
    elif get_origin(annotation) is Annotated:
        yield from _value(arguments[0], list(annotation.__metadata__), node, path)
    elif get_origin(annotation) in (Union, types.UnionType):
        for choice in arguments:
            yield from _value(choice, [], node, path)
    elif get_origin(annotation) is tuple:
        items = node.items if node else []
        for index in range(max(1, len(items))):
            item = items[index] if index < len(items) else None
            yield from _value(arguments[0], [], item, (*path, index))
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from _model(annotation, node, path)


def _block(plugin: Plugin, node: Node | None, path: Path) -> Iterator[Entry]:
    default = ... if plugin.default is None else plugin.default
    name = FieldInfo(annotation=str, default=default, description=f"Name of the {plugin.point}.")
    name.metadata.append(plugin)
    yield (*path, "kind"), name
    kind = plugin.kind_of(node.plain() if node else {}) or plugin.default
    if kind is not None:
        yield from _model(plugin.spec(kind), node, path)
