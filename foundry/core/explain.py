"""Say what pydantic found in words of the recipe: place, key, what is wrong, and the edit."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

import annotated_types
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from foundry.core import repair
from foundry.core.errors import Problem
from foundry.core.fields import Refused
from foundry.core.language import gettext as _
from foundry.core.outline import outline
from foundry.core.recipe import NAME, VERSION, Recipe
from foundry.core.suggest import unknown_key
from foundry.core.yaml_places import Node, Path, dotted

MAX_DETAILS = 1000  # a generated file may be wrong in a million places,
MAX_PROBLEMS = 100  # and nobody reads more than a screen
UNKNOWN, MISSING = "extra_forbidden", "missing"  # pydantic's names of these errors
SHOWN = 60  # characters of a wrong value that a message repeats


def problems(error: ValidationError, tree: Node, model: type[BaseModel] = Recipe) -> list[Problem]:
    """One problem for each wrong key, in the order of the schema, which is that of `model`."""
    accepted = outline(tree, model)
    groups: dict[Path, list[ErrorDetails]] = {}
    for detail in error.errors(include_url=False)[:MAX_DETAILS]:
        groups.setdefault(_path(detail, tree), []).append(detail)
    kept = [path for path in groups if not _is_echo(path, groups)][:MAX_PROBLEMS]
    unknown = {p: unknown_key(p, accepted) for p in kept if groups[p][0]["type"] == UNKNOWN}
    meant = {target for _fix, target in unknown.values()}
    wrong: list[Problem] = []
    for path in kept:
        if path in unknown:
            wrong.append(Problem(locate(tree, path), _("unknown key"), unknown[path][0]))
            wrong += _inside(tree, path, unknown[path][1], accepted)
        elif path not in meant or groups[path][0]["type"] != MISSING:
            wrong.append(_problem(path, groups[path], tree, accepted.get(path)))
    return wrong


def locate(tree: Node, path: Path) -> str:
    """`file:line:column: dotted.key` of a key, or of the block that lacks it."""
    for length in range(len(path), -1, -1):
        node = tree.at(*path[:length])
        if node is not None:
            break
    place, key = str(node.place if node else tree.place), dotted(path)
    if not key or place == f"--set {key}":
        return place
    return f"{place}: {key}"


def _inside(
    tree: Node, path: Path, meant: Path | None, accepted: Mapping[Path, FieldInfo]
) -> Iterator[Problem]:
    """The unknown keys of a block that stands at `path` and should stand at `meant`."""
    block = tree.at(*path)
    for key in block.keys if block is not None and meant is not None else ():
        right = (*(meant or ()), key)
        if right in accepted:
            yield from _inside(tree, (*path, key), right, accepted)
        else:
            fix = unknown_key(right, accepted)[0]
            yield Problem(locate(tree, (*path, key)), _("unknown key"), fix)


def _path(detail: ErrorDetails, tree: Node) -> Path:
    """Pydantic's location without the names of union members that stand in it."""
    path: Path = ()
    last = len(detail["loc"]) - 1
    for index, part in enumerate(detail["loc"]):
        absent = index == last and detail["type"] == MISSING
        if absent or tree.at(*path, part) is not None:
            path = (*path, part)
    return path


def _is_echo(path: Path, groups: Mapping[Path, Sequence[ErrorDetails]]) -> bool:
    """Whether the errors at `path` only follow from errors inside it.

    A list with a wrong item is also "too short", and not a member of the other union choices.
    """
    inside = any(len(other) > len(path) and other[: len(path)] == path for other in groups)
    kinds = {"too_short", "literal_error", "string_type", "int_type"}
    return inside and all(detail["type"] in kinds for detail in groups[path])


def _problem(
    path: Path, details: list[ErrorDetails], tree: Node, field: FieldInfo | None
) -> Problem:
    where, first, node = locate(tree, path), details[0], tree.at(*path)
    if first["type"] == MISSING:
        about = f": {field.description}" if field and field.description else ""
        fix = _("add `{key}:`").format(key=path[-1]) + about
        return Problem(where, _("this key is required"), fix)
    if first["type"] == "value_error":
        return _own(where, first["ctx"]["error"])
    alternatives = dict.fromkeys(expected(detail, field) for detail in details)
    wanted = _(" or ").join(alternatives)
    what = _("must be {wanted}; got {found}").format(wanted=wanted, found=found(node))
    key = path[-1] if path and isinstance(path[-1], str) else None
    edit = repair.edit(key, details, node, field) or repair.wish(wanted, field)
    return Problem(where, what, edit)


def _own(where: str, error: Exception) -> Problem:
    if isinstance(error, Refused):
        return Problem(where, error.what, error.fix)
    return Problem(where, str(error))


def found(node: Node | None) -> str:
    """What was written, in words; long text is cut."""
    if node is None or node.value is None:
        return _("nothing")
    if isinstance(node.value, dict):
        return _("a block of keys")
    if isinstance(node.value, list):
        return _("a list of {count}").format(count=len(node.value))
    text = node.text if len(node.text) <= SHOWN else node.text[:SHOWN] + "…"
    if isinstance(node.value, str):
        return _("the text `{text}`").format(text=text.replace("\n", "⏎"))
    if isinstance(node.value, bool):
        return f"`{text}`"
    return _("the number {text}").format(text=text)


def expected(detail: ErrorDetails, field: FieldInfo | None) -> str:
    """What should stand there, in words: of one of pydantic's errors, and of the field if known."""
    kind, ctx = detail["type"], detail.get("ctx", {})
    types = {
        "bool_type": _("`true` or `false`"),
        "string_type": _("text"),
        "string_too_short": _("text that is not empty"),
        "string_too_long": _("text of at most {n} characters"),
        "too_short": _("a list of at least {n}"),
        "tuple_type": _("a list"),
        "dict_type": _("a block of keys"),
        "model_type": _("a block of keys"),
    }
    if kind in types:
        return types[kind].format(n=ctx.get("max_length", ctx.get("min_length")))
    if kind in ("literal_error", "enum"):
        return _choices(ctx)
    if kind == "string_pattern_mismatch":
        return _pattern(ctx["pattern"])
    bounds = _bounds(field, ctx)
    if kind.startswith("int"):
        return f"{_('a whole number')} {bounds}".rstrip()
    if kind in ("float_type", "float_parsing", "finite_number", *_BOUND_ERRORS):
        return f"{_('a number')} {bounds}".rstrip()
    return detail["msg"]


_BOUND_ERRORS = ("greater_than", "greater_than_equal", "less_than", "less_than_equal")


def _choices(ctx: Mapping[str, Any]) -> str:
    words = [f"`{word}`" for word in repair.words(ctx)]
    return words[0] if len(words) == 1 else _("one of {words}").format(words=", ".join(words))


def _pattern(pattern: str) -> str:
    if pattern == NAME:
        return _("lower-case letters, digits and hyphens")
    if pattern == VERSION:
        return _("a semantic version such as `1.0.0`")
    return _("text of the form {pattern}").format(pattern=pattern)


def _bounds(field: FieldInfo | None, ctx: Mapping[str, Any]) -> str:
    """`greater than 0 and at most 1`, from the field; else from the bound that was broken."""
    words = {
        "gt": _("greater than {bound}"),
        "ge": _("of at least {bound}"),
        "lt": _("less than {bound}"),
        "le": _("at most {bound}"),
    }
    limits: dict[str, Any] = {}
    for item in _constraints(field):
        if isinstance(item, annotated_types.Gt):
            limits["gt"] = item.gt
        elif isinstance(item, annotated_types.Ge):
            limits["ge"] = item.ge
        elif isinstance(item, annotated_types.Lt):
            limits["lt"] = item.lt
        elif isinstance(item, annotated_types.Le):
            limits["le"] = item.le
    limits = limits or {name: ctx[name] for name in words if name in ctx}
    return _(" and ").join(words[name].format(bound=limits[name]) for name in limits)


def _constraints(field: FieldInfo | None) -> list[Any]:
    """The bounds that a field states, also those of one member of a union."""
    if field is None or field.metadata:
        return field.metadata if field else []
    members = [get_args(member)[1:] for member in get_args(field.annotation)]
    return [item for extras in members for extra in extras for item in _stated(extra)]


def _stated(extra: Any) -> list[Any]:
    return extra.metadata if isinstance(extra, FieldInfo) else [extra]
