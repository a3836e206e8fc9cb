"""Names in a recipe that must be found elsewhere in it: test parts and metrics; bounds of metrics.

This reads the written tree, not the checked recipe, so that a wrong reference is reported
together with every other problem.
"""

from collections.abc import Iterator
from typing import Any

from foundry.core import plugins
from foundry.core.errors import Problem
from foundry.core.explain import locate
from foundry.core.language import gettext as _
from foundry.core.near import nearest
from foundry.core.yaml_places import Node, Path

SPLIT_PART = "test"
TRAIN_PART, VALIDATION_PART = "train", "validation"


def problems(tree: Node) -> list[Problem]:
    """Every name that refers to nothing, and every part name given twice."""
    parts, metrics = part_names(tree), _metrics(tree)
    brought = _brought_parts(tree)
    wrong = list(_clashes(tree, brought))
    if metrics and not parts:
        what, fix = _("there is nothing to evaluate on"), _("add `data.tests` or `data.split`")
        wrong.append(Problem(locate(tree, ("evals",)), what, fix))
        return wrong
    for path, name in _part_references(tree):
        wrong += _unknown(tree, path, name, [*parts, *brought], _("unknown test part"))
    for index, gate in enumerate(_items(tree, "gates")):
        metric = gate.at("metric")
        if metric and isinstance(metric.value, str):
            path = ("gates", index, "metric")
            wrong += _unknown(tree, path, metric, [*metrics], _("no evaluator of this name"))
            wrong += _backwards(tree, index, gate, is_less_better=metrics.get(metric.value))
    return wrong


def part_names(tree: Node) -> list[str]:
    """The test parts of a recipe: those under `data.tests`, and `test` if the split draws it."""
    names = _texts(tree, ("data", "tests"), "name")
    drawn = tree.at("data", "split", SPLIT_PART)
    return [*names, SPLIT_PART] if drawn and drawn.value is not None else names


def _metrics(tree: Node) -> dict[str, bool]:
    """Every evaluator, and after it the further metrics it has; True where less is better."""
    found = dict[str, bool]()
    for kind in _texts(tree, ("evals",), "kind"):
        found[kind] = False
        companions = _of_evaluator(kind, "COMPANIONS") or ()
        found |= {one.name: one.lower_is_better for one in companions}
    return found


def _backwards(
    tree: Node, index: int, gate: Node, *, is_less_better: bool | None
) -> Iterator[Problem]:
    """A bound on the wrong side: the best model would break it, the worst would not."""
    if is_less_better is None:
        return
    wrong, right = ("min", "max") if is_less_better else ("max", "min")
    bound, metric = gate.at(wrong), gate.at("metric")
    if bound is None or bound.value is None or metric is None:
        return
    less, more = _("of `{metric}` less is better"), _("of `{metric}` more is better")
    what = (less if is_less_better else more).format(metric=metric.value)
    yield Problem(
        locate(tree, ("gates", index, wrong)), what, _("write `{bound}`").format(bound=right)
    )


def _brought_parts(tree: Node) -> list[str]:
    """The test parts made of questions that evaluators bring."""
    parts = [_of_evaluator(kind, "PART") for kind in _texts(tree, ("evals",), "kind")]
    return [part for part in parts if part is not None]


def _of_evaluator(kind: str, name: str) -> Any:
    """What the evaluator defines under `name`; None for a kind that does not exist."""
    if kind not in plugins.names("evaluator"):
        return None
    return plugins.optional(plugins.load("evaluator", kind), name)


def _clashes(tree: Node, brought: list[str]) -> Iterator[Problem]:
    seen = {TRAIN_PART, VALIDATION_PART, *brought}
    if len(part_names(tree)) > len(_texts(tree, ("data", "tests"), "name")):
        seen.add(SPLIT_PART)
    for index, test in enumerate(_items(tree, "data", "tests")):
        name = test.at("name")
        if name is None or not isinstance(name.value, str):
            continue
        if name.value in seen:
            where = locate(tree, ("data", "tests", index, "name"))
            what = _("the name `{name}` is taken by another part").format(name=name.value)
            yield Problem(where, what, _("give the part a name of its own"))
        seen.add(name.value)


def _part_references(tree: Node) -> Iterator[tuple[Path, Node]]:
    for block in ("evals", "gates"):
        for index, item in enumerate(_items(tree, block)):
            part = item.at("part")
            if part:
                yield (block, index, "part"), part
            for number, name in enumerate(_items(item, "parts")):
                yield (block, index, "parts", number), name


def _unknown(tree: Node, path: Path, name: Node, known: list[str], what: str) -> list[Problem]:
    if not isinstance(name.value, str) or name.value in known:
        return []
    near = nearest(name.value, known)
    there_are = _("{what}: `{name}`; there are: {known}").format(
        what=what, name=name.text, known=", ".join(known) or _("none")
    )
    fix = _("use `{name}`").format(name=near) if near else _("choose one of the names listed")
    return [Problem(locate(tree, path), there_are, fix)]


def _items(tree: Node, *path: str | int) -> list[Node]:
    node = tree.at(*path)
    return node.items if node else []


def _texts(tree: Node, path: Path, key: str) -> list[str]:
    """The text under `key` of each item of a list."""
    nodes = [item.at(key) for item in _items(tree, *path)]
    return [node.value for node in nodes if node and isinstance(node.value, str)]
