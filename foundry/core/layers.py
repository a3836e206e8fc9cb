"""Lay a recipe over its fragments, and `--set` over both; every value keeps its place."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from foundry.core import secrets, yaml_places
from foundry.core.errors import Place, Problem, RecipeError
from foundry.core.language import gettext as _
from foundry.core.yaml_places import Node

EXAMPLE = "--set train.learning_rate=1e-4"


def combine(base: Node, over: Node, kinds: Mapping[str, str] | None = None) -> Node:
    """`over` laid on `base`: blocks are merged key by key, everything else is replaced.

    A block whose `kind` changes is replaced whole, since its keys belong to another plug-in.
    A mapping of indices, which only `--set` writes, changes single items of a list.

    Args:
        base: What is overridden.
        over: What overrides.
        kinds: The kind that a top-level block has where none is written.
    """
    if isinstance(base.value, dict) and isinstance(over.value, dict):
        return replace(over, value=_merge(base.value, over.value, kinds or {}))
    if isinstance(base.value, list) and isinstance(over.value, dict):
        return _set_items(base, over)
    return over


def _merge(
    base: Mapping[str, Node], over: Mapping[str, Node], kinds: Mapping[str, str]
) -> dict[str, Node]:
    merged = dict(base)
    for key, node in over.items():
        old = merged.get(key)
        changes = old is not None and _changes_kind(old, node, kinds.get(key))
        merged[key] = node if old is None or changes else combine(old, node)
    return merged


def _changes_kind(base: Node, over: Node, default: str | None) -> bool:
    new, old = over.at("kind"), base.at("kind")
    if new is None or not isinstance(base.value, dict):
        return False
    return new.value != (old.value if old else default)


def _set_items(base: Node, over: Node) -> Node:
    items = list(base.items)
    for key, node in over.keys.items():
        if not key.isdecimal() or len(key) > 9 or int(key) >= len(items):
            what = _("no item `{key}`; the list has {count} items, counted from 0")
            what = what.format(key=key, count=len(items))
            raise RecipeError(Problem(str(node.place), what, _("give the number of an item")))
        old = items[int(key)]
        items[int(key)] = node if _changes_kind(old, node, None) else combine(old, node)
    return replace(base, value=items)


def read_overrides(overrides: Sequence[str]) -> tuple[Node | None, list[Problem]]:
    """The tree that `--set a.b=value` arguments describe, and what is wrong with them."""
    tree: Node | None = None
    wrong: list[Problem] = []
    for text in overrides:
        try:
            node = _read_override(text)
            tree = _join(tree, node) if tree else node
        except RecipeError as error:
            wrong += error.problems
    return tree, wrong


def _join(earlier: Node, later: Node) -> Node:
    """Two overrides as one. A `kind` among them drops nothing: the order must not matter."""
    if not isinstance(earlier.value, dict) or not isinstance(later.value, dict):
        return combine(earlier, later)
    joined = dict(earlier.value)
    for key, node in later.value.items():
        joined[key] = _join(joined[key], node) if key in joined else node
    return replace(later, value=joined)


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
