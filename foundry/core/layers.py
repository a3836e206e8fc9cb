"""Lay a recipe over its fragments, and `--set` over both; every value keeps its place."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from foundry.core import secrets, yaml_places
from foundry.core.errors import Place, Problem, RecipeError
from foundry.core.language import gettext as _
from foundry.core.yaml_places import Node, Path

Blocks: TypeAlias = Mapping[Path, str | None]

NO_BLOCKS: Blocks = {}  # between two overrides no `kind` drops keys: their order must not matter
EXAMPLE = "--set train.learning_rate=1e-4"


def combine(base: Node, over: Node, blocks: Blocks = NO_BLOCKS, path: Path = ()) -> Node:
    """`over` laid on `base`: blocks are merged key by key, everything else is replaced.

    A plug-in block whose `kind` changes is replaced whole: its keys belong to another plug-in.
    A mapping of indices, which only `--set` writes, changes single items of a list.

    Args:
        base: What is overridden.
        over: What overrides.
        blocks: Where plug-in blocks stand, list indices as 0, with their default kinds.
        path: Where `base` stands.
    """
    if path in blocks and _changes_kind(base, over, blocks[path]):
        return over
    if isinstance(base.value, dict) and isinstance(over.value, dict):
        merged = dict(base.value)
        for key, node in over.value.items():
            old = merged.get(key)
            merged[key] = combine(old, node, blocks, (*path, key)) if old else node
        return replace(over, value=merged)
    if isinstance(base.value, list) and isinstance(over.value, dict):
        items = list(base.value)
        for key, node in over.value.items():
            index = _index(key, node, len(items))
            items[index] = combine(items[index], node, blocks, (*path, 0))
        return replace(base, value=items)
    return over


def _changes_kind(base: Node, over: Node, default: str | None) -> bool:
    new, old = over.at("kind"), base.at("kind")
    if new is None or not isinstance(base.value, dict):
        return False
    return new.value != (old.value if old else default)


def _index(key: str, node: Node, count: int) -> int:
    if key.isdecimal() and len(key) < 10 and int(key) < count:
        return int(key)
    what = _("no item `{key}`; the list has {count} items, counted from 0")
    what = what.format(key=key, count=count)
    raise RecipeError(Problem(str(node.place), what, _("give the number of an item")))


def read_overrides(overrides: Sequence[str]) -> tuple[Node | None, list[Problem]]:
    """The tree that `--set a.b=value` arguments describe, and what is wrong with them."""
    tree: Node | None = None
    wrong: list[Problem] = []
    for text in overrides:
        try:
            node = _read_override(text)
            tree = combine(tree, node) if tree else node
        except RecipeError as error:
            wrong += error.problems
    return tree, wrong


def _read_override(text: str) -> Node:
    if secrets.find(text):
        what = _("an access token stands here")
        fix = _("leave it out; give it in the environment as HF_TOKEN")
        raise RecipeError(Problem("--set", what, fix))
    key, equals, value = text.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts) or len(parts) > yaml_places.MAX_DEPTH:
        what = _("must have the form key=value; got `{text}`").format(text=text)
        raise RecipeError(Problem("--set", what, _("write `{line}`").format(line=EXAMPLE)))
    place = Place(f"--set {key.strip()}")
    if value.strip():
        node, repeated = yaml_places.read(value, lambda line, column: place)
        if repeated:
            raise RecipeError(repeated)
    else:
        node = Node(None, place)
    for part in reversed(parts):
        node = Node({part: node}, place)
    return node
