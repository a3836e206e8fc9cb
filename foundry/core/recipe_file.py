"""Read the files a recipe is made of: its own, and the fragments it extends."""

import shlex
from pathlib import Path

from foundry.core import layers, secrets, shipped, yaml_places
from foundry.core.errors import Place, Problem, RecipeError, ResourceError
from foundry.core.explain import found
from foundry.core.language import gettext as _
from foundry.core.near import nearest
from foundry.core.outline import plugin_blocks
from foundry.core.yaml_places import Node

MAX_BYTES = 1 << 20  # a shipped recipe has 4 kB


def read_text(path: Path) -> str:
    """The text of a YAML file, without a byte order mark.

    Raises:
        ResourceError: The file cannot be read.
        RecipeError: It is larger than 1 MiB, or not UTF-8.
    """
    where = shipped.label(path)
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        what = _("cannot be read: {reason}").format(reason=error.strerror or error)
        raise ResourceError(Problem(where, what)) from error
    if len(content) > MAX_BYTES:
        what = _("larger than {limit} bytes").format(limit=MAX_BYTES)
        fix = _("a recipe holds no data; name data files under `data.sources`")
        raise RecipeError(Problem(where, what, fix))
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise RecipeError(_not_utf8(where, path, content, error)) from None


def parse(text: str, label: str) -> tuple[Node, list[Problem]]:
    """The tree of a recipe or fragment, and its repeated keys.

    Raises:
        RecipeError: It holds an access token (which is not repeated), or is not a YAML mapping.
    """
    _refuse_tokens(label, secrets.find(text))
    tree, repeated = yaml_places.read(text, lambda line, column: Place(label, line, column))
    _refuse_tokens(label, _tokens_in(tree))  # "hf_\x41..." hides one from the search above
    if not isinstance(tree.value, dict):
        what = _("must be a block of keys; got {found}").format(found=found(tree))
        fix = _("start with `schema_version: 1`")
        raise RecipeError(Problem(str(tree.place), what, fix))
    return tree, repeated


def with_fragments(recipe: Node) -> tuple[Node, list[Problem]]:
    """`recipe` laid over the fragments its `extends` names; `extends` itself is gone."""
    own = Node({k: v for k, v in recipe.keys.items() if k != "extends"}, recipe.place)
    extends = recipe.at("extends")
    if extends is None or extends.value is None:
        return own, []
    if not isinstance(extends.value, list):
        what = _("must be a list; got {found}").format(found=found(extends))
        known = shipped.fragment_names()
        fix = _("write `extends: [{name}]`")
        fix = fix.format(name=nearest(str(extends.value), known) or known[0])
        return own, [Problem(f"{extends.place}: extends", what, fix)]
    below: dict[str, Node] = {}
    wrong: list[Problem] = []
    for number, name in enumerate(extends.items):
        try:
            fragment, problems = _fragment(name, f"{name.place}: extends.{number}")
        except RecipeError as error:
            wrong += error.problems
            continue
        wrong += problems + [_owned_twice(key, below, fragment) for key in below.keys() & fragment]
        below = {**fragment, **below}
    return layers.combine(Node(below, recipe.place), own, plugin_blocks()), wrong


def _fragment(name: Node, where: str) -> tuple[dict[str, Node], list[Problem]]:
    known = shipped.fragment_names()
    if name.value not in known:
        what = _("unknown fragment `{name}`; there are: {known}")
        near = nearest(str(name.value), known)
        fix = _("use `{name}`").format(name=near) if near else _("choose one of the names listed")
        what = what.format(name=name.text or found(name), known=", ".join(known))
        raise RecipeError(Problem(where, what, fix))
    path = shipped.fragment_path(str(name.value))
    tree, problems = parse(read_text(path), shipped.label(path))
    blocks = dict(tree.keys)
    nested = blocks.pop("extends", None)
    if nested is not None:
        what = _("a fragment cannot extend another")
        problems.append(
            Problem(f"{nested.place}: extends", what, _("name both in the recipe's `extends`"))
        )
    return blocks, problems


def _owned_twice(key: str, below: dict[str, Node], fragment: dict[str, Node]) -> Problem:
    what = _("the block is defined in two fragments, also in {other}")
    return Problem(
        f"{fragment[key].place}: {key}",
        what.format(other=below[key].place),
        _("extend one of the two, and write the rest in the recipe"),
    )


def _tokens_in(node: Node) -> list[tuple[int, int]]:
    here = isinstance(node.value, str) and secrets.find(node.value)
    places = [(node.place.line, node.place.column)] if here else []
    for part, child in node.children:
        if isinstance(part, str) and secrets.find(part):
            places.append((child.place.line, child.place.column))
        places += _tokens_in(child)
    return places


def _refuse_tokens(label: str, places: list[tuple[int, int]]) -> None:
    what = _("an access token stands here; a recipe is copied into every run and package")
    fix = _("remove it, revoke it where it was issued, and give the new one as HF_TOKEN")
    if places:
        raise RecipeError([Problem(str(Place(label, *place)), what, fix) for place in places])


def _not_utf8(where: str, path: Path, content: bytes, error: UnicodeDecodeError) -> Problem:
    line = content.count(b"\n", 0, error.start) + 1
    column = error.start - content.rfind(b"\n", 0, error.start)
    what = _("not UTF-8 (byte 0x{byte:02X})").format(byte=content[error.start])
    encodings = ("utf-16",) if content[:2] in (b"\xff\xfe", b"\xfe\xff") else ("cp950",)
    for encoding in encodings:
        try:
            content.decode(encoding)
        except UnicodeDecodeError:
            continue
        fix = _("save it as UTF-8: `iconv -f {encoding} -t UTF-8 {path} > utf8.yaml`")
        name = encoding.upper()
        return Problem(
            f"{where}:{line}:{column}", what, fix.format(encoding=name, path=shlex.quote(str(path)))
        )
    return Problem(f"{where}:{line}:{column}", what, _("save the file as UTF-8"))
