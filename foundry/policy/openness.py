"""How open a model is: MOF class, the axes data, code and weights, and whether it is OSAID's.

The rules are in `configs/openness/`. What nobody knows never counts as open.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from foundry.core import facts, shipped
from foundry.core.fields import Closed, Many
from foundry.core.recipe import Text, Words

RULES = "mof-1.0"
CLASSES = (3, 2, 1)  # from what is asked of all to what is asked of the most open
JOINED = " AND "  # of an SPDX expression: every licence in it holds

Given: TypeAlias = dict[str, str | None]
"""Name of a component that is given -> the licence that holds for it, None where there is none."""

Axis = Literal["data", "code", "weights"]
AXES: tuple[Axis, ...] = ("data", "code", "weights")
State = Literal["open", "restricted", "unlicensed", "absent", "unknown"]
Degree = Literal["open", "partial", "closed", "unknown"]


class Framework(Closed):
    """How a MOF file names the framework."""

    name: Words
    version: Words
    date: Words


class Component(Closed):
    """One part of a model that may be given or not."""

    title: Text = Field(description="`en` is the framework's own name of it.")
    content: Literal["code", "data", "document"]
    mof_class: Annotated[int, Field(ge=1, le=3)] = Field(description="The first that asks for it.")
    required: bool
    axis: Axis | None

    @property
    def name(self) -> str:
        """The framework's name of it."""
        return self.title.en


class StandIn(Closed):
    """A component that another one makes up for where it is not open."""

    of: Words
    by: Words


class OpenList(Closed):
    """Licences that count as open, and who says so."""

    kind: Literal["osi", "fsf", "data", "model"]
    source: Words
    names: Many[Words]


class Osaid(Closed):
    """The components that the Open Source AI Definition asks for, by its three elements."""

    version: Words
    source: Words
    data_information: Many[Words]
    code: Many[Words] = Field(description="Under a licence that OSI approved.")
    parameters: Many[Words]


class Rules(facts.Fact):
    """The rules of one version of the framework."""

    framework: Framework
    source: Words
    read_on: Words
    components: Many[Component]
    stand_ins: Many[StandIn]
    osaid: Osaid
    open_licences: Many[OpenList]

    def is_open(self, licence: str, kinds: Iterable[str] = ("osi", "fsf", "data", "model")) -> bool:
        """Whether every licence that `licence` joins is on one of the lists."""
        wanted = set(kinds)
        names = {n.lower() for one in self.open_licences if one.kind in wanted for n in one.names}
        return all(name.strip().lower() in names for name in licence.split(JOINED))


@cache
def rules() -> Rules:
    """The rules that hold; read once.

    Raises:
        RecipeError: The file is wrong; each problem with file, line and key.
    """
    return facts.read_folder(shipped.root() / "configs" / "openness", Rules)[RULES]


@dataclass(frozen=True)
class Part:
    """A component and what is known of it."""

    component: Component
    state: State
    licence: str | None

    @property
    def is_open(self) -> bool:
        """Whether it is given under an open licence, and that is known."""
        return self.state == "open"


@dataclass(frozen=True)
class Openness:
    """How open a model is.

    Attributes:
        parts: Every component of the framework.
        progress: Class -> percent of what it asks for, that of the classes below included.
        mof_class: 1, 2 or 3; 0 where not even III is reached.
        axes: How open data, code and weights are.
        osaid: Whether it is Open Source AI; None where that hangs on what is not known.
        lacking: The components for which it is not, or for which nobody can tell.
    """

    parts: tuple[Part, ...]
    progress: Mapping[int, int]
    mof_class: int
    axes: Mapping[Axis, Degree]
    osaid: bool | None
    lacking: tuple[Part, ...]
    version: str = field(default=RULES)

    def unknown(self) -> list[Part]:
        """The components of which nobody knows."""
        return [part for part in self.parts if part.state == "unknown"]


def assess(given: Mapping[str, str | None], unknown: Iterable[str] = ()) -> Openness:
    """Judge a model.

    Args:
        given: Components that are given, each with the licence that holds for it.
        unknown: Components of which nobody knows whether, or under what, they are given.
    """
    known, not_known = rules(), set(unknown)
    parts = tuple(_part(known, one, given, not_known) for one in known.components)
    progress = {level: _progress(known, parts, level) for level in CLASSES}
    held = [level for level in CLASSES if all(progress[x] == 100 for x in CLASSES if x >= level)]
    lacking = tuple(_lacking(known, parts))
    surely_not = any(part.state != "unknown" for part in lacking)
    return Openness(
        parts=parts,
        progress=dict(sorted(progress.items())),
        mof_class=min(held, default=0),
        axes={axis: _degree([p for p in parts if p.component.axis == axis]) for axis in AXES},
        osaid=False if surely_not else None if lacking else True,
        lacking=lacking,
    )


def _part(
    known: Rules, component: Component, given: Mapping[str, str | None], unknown: set[str]
) -> Part:
    name = component.name
    licence = given.get(name)
    if name in unknown:
        return Part(component, "unknown", licence)
    if name not in given:
        return Part(component, "absent", None)
    if licence is None:
        return Part(component, "unlicensed", None)
    return Part(component, "open" if known.is_open(licence) else "restricted", licence)


def _progress(known: Rules, parts: Iterable[Part], level: int) -> int:
    """Percent of the required components of a class and of those below that are open, rounded.

    Where one stands in for another, the two count once; so shared/data/README.md, and class I of
    OLMo-7B, whose record has a paper and no report.
    """
    is_open = {part.component.name: part.is_open for part in parts}
    wanted = {c.name for c in known.components if c.required and c.mof_class >= level}
    for one in known.stand_ins:
        if one.of in wanted and is_open[one.by] and not is_open[one.of]:
            wanted = (wanted - {one.of}) | {one.by}
    reached = sum(is_open[name] for name in wanted)
    return (200 * reached + len(wanted)) // (2 * len(wanted))


def _degree(parts: list[Part]) -> Degree:
    if all(part.is_open for part in parts):
        return "open"
    if any(part.is_open for part in parts):
        return "partial"
    return "unknown" if any(part.state == "unknown" for part in parts) else "closed"


def _lacking(known: Rules, parts: Iterable[Part]) -> Iterable[Part]:
    wants = known.osaid
    for part in parts:
        name = part.component.name
        is_enough = part.is_open
        if name in wants.code and part.licence is not None and is_enough:
            is_enough = known.is_open(part.licence, ("osi",))
        if name in (*wants.data_information, *wants.code, *wants.parameters) and not is_enough:
            yield part
