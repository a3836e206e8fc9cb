"""Read YAML and keep file, line and column of every value.

PyYAML's own constructor keeps the last of two equal keys and builds what tags ask for. So only
its parser is used: events come in, plain nodes go out. Tags, anchors and aliases are refused,
which leaves nothing to execute and nothing to multiply (cases.md C79).
"""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import yaml

from foundry.core import scalars
from foundry.core.errors import Place, Problem, RecipeError
from foundry.core.language import gettext as _

PlaceOf: TypeAlias = Callable[[int, int], Place]
Path: TypeAlias = tuple[str | int, ...]

NOWHERE = Place("")
MAX_DEPTH = 32  # the deepest recipe key lies five levels down
MAX_VALUES = 20_000  # a shipped recipe has about 80; 20 000 take PyYAML a second and 20 MB
MAX_REFUSED = 50  # an alias bomb has thousands; whoever wrote it needs to see a few

# Control characters, lone surrogates and line separators: a terminal or a file system obeys them.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029\ufeff\ufffe]")


@dataclass(frozen=True)
class Node:
    """A value and where it stands: the place of its key if it has one, else its own."""

    value: "scalars.Scalar | dict[str, Node] | list[Node]"
    place: Place
    text: str = ""

    def plain(self) -> Any:
        """The value without places."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def at(self, *parts: str | int) -> "Node | None":
        """The value at a path of keys and indices, or None."""
        node: Node | None = self
        for part in parts:
            if node is None:
                return None
            if isinstance(part, int):
                node = node.items[part] if 0 <= part < len(node.items) else None
            else:
                node = node.keys.get(part)
        return node

    @property
    def keys(self) -> "dict[str, Node]":
        """The entries of a mapping; none for any other value."""
        return self.value if isinstance(self.value, dict) else {}

    @property
    def items(self) -> "list[Node]":
        """The items of a list; none for any other value."""
        return self.value if isinstance(self.value, list) else []

    @property
    def children(self) -> "Iterator[tuple[str | int, Node]]":
        """Keys or indices with their nodes."""
        yield from self.keys.items()
        yield from enumerate(self.items)


def dotted(path: Path) -> str:
    """A path as people and `--set` write it: `data.sources.0.path`."""
    return ".".join(str(part) for part in path)


def read(text: str, place_of: PlaceOf) -> tuple[Node, list[Problem]]:
    """Parse one document.

    Args:
        text: The YAML text.
        place_of: Makes a place from a line and a column, both from 1.

    Returns:
        The document, and its repeated keys (the first of which was kept).

    Raises:
        RecipeError: Not YAML, or YAML that a recipe may not use; nothing was kept.
    """
    builder = _Builder(place_of)
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            builder.take(event)
    except yaml.YAMLError as error:
        raise RecipeError([*builder.refused, _syntax(error, text, place_of)]) from None
    except ValueError as error:  # PyYAML 6.0: chr() of an escape beyond U+10FFFF
        what = _("not valid YAML: {reason}").format(reason=_("an escape is out of range"))
        raise RecipeError([*builder.refused, Problem(str(builder.last), what)]) from error
    if builder.refused:
        raise RecipeError(builder.refused)
    if builder.root is None:
        what, fix = _("there is nothing in it"), _("start with `schema_version: 1`")
        raise RecipeError(Problem(str(place_of(1, 1)), what, fix))
    return builder.root, builder.repeated


def value_of(text: str) -> Any:
    """The plain value of a YAML text that says no more than a recipe may.

    Raises:
        RecipeError: It is not such a text.
    """
    return read(text, lambda _line, _column: NOWHERE)[0].plain()


def scalars_in(text: str) -> list[str]:
    """The keys and values of any YAML text, up to where it is none; aliases are not followed."""
    found = []
    with suppress(yaml.YAMLError):
        for token in yaml.scan(text, Loader=yaml.SafeLoader):
            if isinstance(token, yaml.ScalarToken):
                found.append(token.value)
    return found


def value_spans(text: str) -> list[tuple[int, int]]:
    """Where each scalar that is no key begins and ends in a YAML text of ours, in characters."""
    return list(_spans(yaml.compose(text, Loader=yaml.SafeLoader)))


def _spans(node: Any) -> Iterator[tuple[int, int]]:
    if isinstance(node, yaml.ScalarNode):
        yield node.start_mark.index, node.end_mark.index
    elif node is not None:
        for inner in node.value:
            yield from _spans(inner[1] if isinstance(node, yaml.MappingNode) else inner)


@dataclass
class _Frame:
    """A mapping or list that is being read; `key` waits for its value."""

    node: Node
    path: Path
    key: tuple[str, Place] | None = None


@dataclass
class _Builder:
    """Builds nodes from parser events with a stack of its own, so depth costs no recursion."""

    place_of: PlaceOf
    root: Node | None = None
    repeated: list[Problem] = field(default_factory=list)
    refused: list[Problem] = field(default_factory=list)
    frames: list[_Frame] = field(default_factory=list)
    values: int = 0
    last: Place = NOWHERE

    def take(self, event: yaml.Event) -> None:
        """Take one event."""
        if event.start_mark is not None:
            mark = event.start_mark
            self.last = self.place_of(mark.line + 1, mark.column + 1)
        self.values += isinstance(event, yaml.NodeEvent)
        if self.values > MAX_VALUES:
            what = _("more than {limit} keys and values").format(limit=MAX_VALUES)
            self._refuse(what, _("a recipe holds no data; name data files under `data.sources`"))
            raise RecipeError(self.refused)
        if isinstance(event, yaml.DocumentStartEvent) and self.root is not None:
            self._refuse(_("a second document begins here"), _("keep one document a file"))
        elif isinstance(event, yaml.AliasEvent):
            what = _("aliases (`*{name}`) are not part of the recipe language")
            self._refuse(what.format(name=event.anchor), _("write the value out"))
            self._add("")
        elif isinstance(event, yaml.ScalarEvent):
            self._check(event.anchor, event.tag)
            self._add(event.value, is_plain=event.style is None)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._check(event.anchor, event.tag)
            self._open({} if isinstance(event, yaml.MappingStartEvent) else [])
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self.frames.pop()

    def _check(self, anchor: str | None, tag: str | None) -> None:
        if anchor is not None:
            what = _("anchors (`&{name}`) are not part of the recipe language")
            self._refuse(what.format(name=anchor), _("remove it and write the value out"))
        if tag is not None:
            what = _("tags (`{tag}`) are not part of the recipe language")
            self._refuse(what.format(tag=tag), _("remove the tag"))

    def _add(self, text: str, *, is_plain: bool = False) -> None:
        found = _UNPRINTABLE.search(text)
        if found:
            what = _("a value holds the control character U+{code:04X}")
            self._refuse(what.format(code=ord(found.group())), _("remove the character"))
        if self._awaits_key():
            self.frames[-1].key = (text, self.last)
        else:
            self._attach(Node(scalars.read(text) if is_plain else text, self._place(), text))

    def _open(self, value: "dict[str, Node] | list[Node]") -> None:
        if self._awaits_key():
            what = _("a key must be text; got a list or a block of keys")
            self._refuse(what, _("write `key: value`"))
            raise RecipeError(self.refused)
        if len(self.frames) >= MAX_DEPTH:
            what = _("nested deeper than {depth} levels").format(depth=MAX_DEPTH)
            self._refuse(what, _("a recipe needs no more than five levels"))
            raise RecipeError(self.refused)
        node, path = Node(value, self._place()), self._path()
        self._attach(node)
        self.frames.append(_Frame(node, path))

    def _awaits_key(self) -> bool:
        if not self.frames:
            return False
        return isinstance(self.frames[-1].node.value, dict) and self.frames[-1].key is None

    def _path(self) -> Path:
        if not self.frames:
            return ()
        frame = self.frames[-1]
        return (*frame.path, frame.key[0] if frame.key else len(frame.node.items))

    def _place(self) -> Place:
        key = self.frames[-1].key if self.frames else None
        return key[1] if key else self.last

    def _attach(self, node: Node) -> None:
        if not self.frames:
            self.root = self.root or node
            return
        frame = self.frames[-1]
        if isinstance(frame.node.value, list):
            frame.node.value.append(node)
            return
        name, place = frame.key or ("", self.last)
        if name not in frame.node.keys:
            frame.node.keys[name] = node
        else:
            what = _("this key stands here a second time (first in line {line})")
            what = what.format(line=frame.node.keys[name].place.line)
            where = f"{place}: {dotted(self._path())}"
            self.repeated.append(Problem(where, what, _("remove one of the two")))
        frame.key = None

    def _refuse(self, what: str, fix: str) -> None:
        self.refused.append(Problem(str(self.last), what, fix))
        if len(self.refused) >= MAX_REFUSED:
            raise RecipeError(self.refused)


def _syntax(error: yaml.YAMLError, text: str, place_of: PlaceOf) -> Problem:
    """Say what PyYAML found, without the excerpt of the file that it likes to print."""
    if isinstance(error, yaml.reader.ReaderError):
        before = text[: error.position]
        place = place_of(before.count("\n") + 1, error.position - before.rfind("\n"))
        what = _("the file holds the control character U+{code:04X}")
        code = ord(text[error.position])
        return Problem(str(place), what.format(code=code), _("remove the character"))
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return Problem(str(place_of(1, 1)), _("not valid YAML: {reason}").format(reason=error))
    mark, reason = error.problem_mark, error.problem or str(error.context)
    where = str(place_of(mark.line + 1, mark.column + 1))
    return Problem(where, _("not valid YAML: {reason}").format(reason=reason), _syntax_fix(reason))


def _syntax_fix(reason: str) -> str:
    if "'\\t'" in reason:
        return _("indent with spaces, not with tabs")
    if "mapping values are not allowed" in reason:
        return _("put a value that holds `: ` in quotes, and check the indentation")
    return _("check indentation, colons, brackets and quotes here and in the line before")
