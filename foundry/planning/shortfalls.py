"""Whether the test rows can show what a recipe's gates ask for, told before anything is trained.

A gate on a difference is lost before the training begins where the test part could not show it
even if all went well: every question that the two answer otherwise being a gain, or none being
answered otherwise where a loss is to be ruled out (`evals.power`). That can be said of questions
that are right or wrong; of other scores only that too few groups show nothing at all.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from foundry.core import plugins
from foundry.core.blocks import Block
from foundry.core.events import Events
from foundry.core.language import gettext as _
from foundry.core.load import LoadedRecipe
from foundry.core.recipe import Gate, Recipe, TestPart
from foundry.core.records import DatasetManifest, Example
from foundry.core.rundir import RunDir
from foundry.data.parts import TEST, TRAIN, VALIDATION
from foundry.data.places import expand, opened
from foundry.data.reading import read
from foundry.data.rows import Row
from foundry.evals import power
from foundry.evals.statistics import LEVEL

BOUNDS = ("min_gain", "non_inferiority_pp")
MOST_HELD_OUT = 0.5
"""Share of the rows beyond which holding out more is no advice: too few would be left to learn."""


@dataclass(frozen=True)
class Size:
    """Questions of a part and how many groups they are."""

    items: int
    groups: int


@dataclass(frozen=True)
class Shortfall:
    """A bound of a gate that its test part is too small for.

    `needed` and `detectable` are differences of shares; `detectable` is None where no difference
    could show. `wanted` is how many questions it takes, None where that cannot be said.
    """

    number: int
    metric: str
    part: str | None
    bound: str
    needed: float
    items: int
    groups: int
    detectable: float | None
    wanted: int | None

    def as_dict(self) -> dict[str, Any]:
        """As an event and `--json` have it."""
        return asdict(self)


def shortfalls(recipe: Recipe, sizes: Mapping[str, Size]) -> list[Shortfall]:
    """The gates that the test parts are too small for, in the recipe's order.

    Args:
        recipe: A checked recipe.
        sizes: Of each test part by its name.
    """
    return [
        found
        for number, gate in enumerate(recipe.gates)
        for bound in BOUNDS
        if (found := _shortfall(recipe, sizes, number, gate, bound)) is not None
    ]


def _shortfall(
    recipe: Recipe, sizes: Mapping[str, Size], number: int, gate: Gate, bound: str
) -> Shortfall | None:
    written = getattr(gate, bound)
    block = _evaluator(recipe.evals, gate.metric)
    size = None if block is None else _asked(block, gate.part, sizes)
    if written is None or block is None or size is None:
        return None
    needed = float(written) if bound == "min_gain" else float(written) / 100
    least = _least(bound)
    found = least(size.items, size.groups)
    is_right_or_wrong = gate.metric == block.kind and not _is_graded(block.kind)
    if found <= needed or (found <= 1 and not is_right_or_wrong):
        return None
    wanted = power.questions_for(needed, lambda n: least(n, n)) if is_right_or_wrong else None
    told = found if found <= 1 else None
    about = (gate.metric, gate.part, bound, needed, size.items, size.groups)
    return Shortfall(number, *about, told, wanted)


def _least(bound: str) -> Callable[[int, int], float]:
    if bound == "min_gain":
        return lambda n, groups: power.least_gain(n, groups, alpha=1 - LEVEL)
    return lambda n, groups: power.least_margin(n, groups, level=LEVEL)


def _evaluator(evals: Sequence[Block], metric: str) -> Block | None:
    """The evaluator whose metric or companion it is."""
    for block in evals:
        companions = plugins.optional(plugins.load("evaluator", block.kind), "COMPANIONS") or ()
        if metric in (block.kind, *(companion.name for companion in companions)):
            return block
    return None


def _is_graded(kind: str) -> bool:
    return bool(plugins.optional(plugins.load("evaluator", kind), "GRADED"))


def _asked(block: Block, part: str | None, sizes: Mapping[str, Size]) -> Size | None:
    """The questions that an evaluator scores in a part; None where only training rows tell."""
    module, spec = plugins.load("evaluator", block.kind), block.spec.model_dump()
    if plugins.optional(module, "items_from") is not None:
        return None
    items = plugins.optional(module, "items")
    if items is not None:
        return size_of([item.example for item in items(block.spec)])
    own = spec.get("parts") or ([spec["part"]] if spec.get("part") else list(sizes))
    asked = [sizes[name] for name in own if name in sizes and part in (None, name)]
    if not asked:
        return None
    return Size(sum(one.items for one in asked), sum(one.groups for one in asked))


def tell_shortfalls(events: Events, recipe: Recipe, manifest: DatasetManifest, run: RunDir) -> None:
    """Tell of gates that the test parts are too small for, once their rows are known."""
    from foundry.data.prepare import read_examples

    if recipe.gates:
        tests = [part for part in manifest.parts if part.name not in (TRAIN, VALIDATION)]
        sizes = {part.name: size_of(read_examples(run.file(part.file))) for part in tests}
        for short in shortfalls(recipe, sizes):
            events.emit("data", "warning", code="test-too-small", **short.as_dict())


def size_of(examples: Sequence[Example]) -> Size:
    """The size of a part whose rows are there."""
    return Size(len(examples), len({example.group for example in examples}))


def sizes_in_files(loaded: LoadedRecipe, learned: int) -> dict[str, Size]:
    """The sizes of the test parts before they are prepared: no row is refused yet.

    Args:
        loaded: A checked recipe.
        learned: Rows of the sources that are left to train on.

    Raises:
        DataError, ResourceError: A file is not there or cannot be read.
    """
    data, folder = loaded.recipe.data, loaded.path.parent
    by = data.split.group_by if data.split else None
    with tempfile.TemporaryDirectory(prefix="foundry-") as work:
        found = {
            test.name: _in_files(test, test.disjoint_by or by, folder, Path(work, str(number)))
            for number, test in enumerate(data.tests)
        }
    if data.split is not None and data.split.test:
        rows = round(learned / (1 - data.split.held_out) * data.split.test)
        found[TEST] = Size(rows, rows)
    return found


def _in_files(test: TestPart, column: str | None, folder: Path, work: Path) -> Size:
    rows, groups = 0, set[str]()
    for values in _rows(test, folder, work):
        rows += 1
        groups.add(str(values.get(column) or rows) if column else str(rows))
    return Size(rows, len(groups))


def _rows(test: TestPart, folder: Path, work: Path) -> Iterator[Mapping[str, Any]]:
    work.mkdir()
    for number, place in enumerate(expand(test.path, folder, test.read).files):
        for file in opened(place, work / str(number), test.read).files:
            for item in read(file.path, test.read).items:
                if isinstance(item, Row):
                    yield item.values


def sentence(found: Mapping[str, Any], recipe: Recipe | None = None) -> str:
    """A shortfall in words, with the edit that helps.

    Args:
        found: As `Shortfall.as_dict` gives it.
        recipe: Whose split may hold out more; None where that is not known.
    """
    key = f"gates.{found['number']}.{found['bound']}"
    part = found["part"] or _("all test parts")
    values = {
        **found,
        "key": key,
        "part": part,
        "needed": f"{100 * found['needed']:g}",
        "least": None if found["detectable"] is None else f"{100 * found['detectable']:.0f}",
    }
    if found["detectable"] is None:
        what = _("{key}: {items} questions in {groups} groups ({part}) cannot show any difference")
    elif found["bound"] == "min_gain":
        what = _(
            "{key}: {items} questions ({part}) most likely do not show a gain of {needed} points; "
            "{least} or more, even if no answer gets worse"
        )
    else:
        what = _(
            "{key}: {items} questions ({part}) cannot rule out a loss of {needed} points; {least} "
            "at best, even if no answer changes"
        )
    told = what.format(**values)
    return _("{what}\n  fix: {fix}").format(what=told, fix=_fix(found, key, recipe))


def _fix(found: Mapping[str, Any], key: str, recipe: Recipe | None) -> str:
    wanted = found["wanted"]
    ways = []
    split = recipe.data.split if recipe is not None else None
    if wanted is not None and split is not None and split.test and found["part"] in (None, TEST):
        share = split.test * wanted / found["items"]
        if share <= MOST_HELD_OUT:
            ways.append(_("set `data.split.test: {share}`").format(share=f"{share:.2g}"))
    if not ways and wanted is not None:
        ways.append(_("test with {n} questions or more").format(n=wanted))
    if not ways:
        what = _("test with rows of {n} groups or more")
        ways.append(what.format(n=power.fewest_groups(1 - LEVEL)))
    if found["detectable"] is not None and found["bound"] == "min_gain":
        bound = f"{found['detectable'] + 0.005:.2f}"
        ways.append(_("ask for what they show: `{key}: {bound}`").format(key=key, bound=bound))
    first, *other = ways
    return _("{one}; or {other}").format(one=first, other=other[0]) if other else first
