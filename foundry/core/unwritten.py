"""What a recipe need not say though no default can: its name and title, taken from its file."""

import re
from dataclasses import replace
from pathlib import Path

from foundry.core.errors import Place
from foundry.core.yaml_places import Node

KEYS = ("name", "title")
FROM_FILE, FROM_NAME = "file name", "name"  # origins, as plans and `recipe fill` show them
NAMELESS = "recipe"  # of a file such as 客服.yaml, whose name has no Latin letter or digit
LONGEST_NAME = 64  # as `foundry.core.recipe.Name` allows


def complete(tree: Node, path: Path) -> Node:
    """`tree` with the keys of `KEYS` it lacks, each with its origin as its place.

    The title is the written name, or the file's name as it stands.

    Args:
        tree: The recipe as written, over its fragments and under the overrides.
        path: The recipe file.
    """
    added: dict[str, Node] = {}
    name = tree.at("name")
    if name is None:
        added["name"] = _text(name_from(path.stem), FROM_FILE)
    if tree.at("title") is None:
        if name is None or not isinstance(name.value, str) or not name.value:
            added["title"] = _title(_printable(path.stem) or NAMELESS, FROM_FILE)
        else:
            added["title"] = _title(name.value, FROM_NAME)
    return replace(tree, value={**tree.keys, **added})


def name_from(words: str) -> str:
    """`words` made into a recipe's name: `My shop (2)` -> `my-shop-2`."""
    word = re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")
    return word[:LONGEST_NAME].strip("-") or NAMELESS


def _title(words: str, origin: str) -> Node:
    texts = {language: _text(words, origin) for language in ("zh-TW", "en")}
    return Node(texts, Place(origin))


def _text(words: str, origin: str) -> Node:
    return Node(words, Place(origin), words)


def _printable(words: str) -> str:
    """`words` without what a terminal would obey."""
    return "".join(character for character in words if character.isprintable()).strip()
