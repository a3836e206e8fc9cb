"""The arms of a comparison: runs of one recipe that differ in nothing but the seed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import Any

from foundry.core import atomic
from foundry.core.deciding import deciding
from foundry.core.errors import Problem, ProofError
from foundry.core.language import gettext as _
from foundry.evals.arms.entry import Entry, facts

# Keys of a recipe that say what it is called, not what it does.
NAMES = ("seed", "name", "title", "description", "package")


@dataclass(frozen=True)
class Arm:
    """A recipe with its runs, one for each seed, in the order of the seeds."""

    name: str
    entries: tuple[Entry, ...]

    @property
    def first(self) -> Entry:
        """The run of the least seed, which speaks for what the runs have in common."""
        return self.entries[0]

    @property
    def seeds(self) -> list[int]:
        """The seed of each run."""
        return [entry.seed for entry in self.entries]

    def rows(self, metric: str, part: str | None, ids: Sequence[str]) -> list[list[Any]]:
        """What was observed of the items `ids`, shape (K, N), a row for each seed."""
        found = [entry.row(metric, part) for entry in self.entries]
        return [[row[key] for key in ids] for row in found]

    @cached_property
    def facts(self) -> list[dict[str, Any]]:
        """What each run took, in the order of the seeds."""
        return [facts(entry) for entry in self.entries]

    def figure(self, key: str) -> float | None:
        """The mean of a figure over the seeds; None where a run does not tell it."""
        values = [one[key] for one in self.facts]
        return None if None in values else fmean(values)


def arms_of(entries: Sequence[Entry]) -> list[Arm]:
    """Runs of one recipe together, in the order in which they are named.

    Runs of one recipe *and* one seed are no seeds of one arm: each is an arm of its own, as two
    trainings that should be equal are when someone looks whether they are.
    """
    found = dict[str, list[Entry]]()
    for entry in entries:
        found.setdefault(recipe_key(entry), []).append(entry)
    arms = list[Arm]()
    for group in found.values():
        ordered = sorted(group, key=lambda entry: entry.seed)
        if len({entry.seed for entry in ordered}) == len(ordered):
            arms.append(Arm(ordered[0].run.name, tuple(ordered)))
        else:
            arms += [Arm(entry.run.name, (entry,)) for entry in group]
    return arms


def named_arms(entries: Mapping[str, Sequence[Entry]]) -> list[Arm]:
    """The arms that a study names.

    Raises:
        ProofError: The runs of an arm differ in more than the seed; names each that does.
    """
    what = _("it differs from {other}, a run of the same arm, in more than the seed")
    fix = _("run the study anew in another folder")
    problems = [
        Problem(f"{name}, {one.run.name}", what.format(other=found[0].run.name), fix)
        for name, found in entries.items()
        for one in found[1:]
        if recipe_key(one) != recipe_key(found[0])
    ]
    if problems:
        raise ProofError(problems)
    return [
        Arm(name, tuple(sorted(found, key=lambda entry: entry.seed)))
        for name, found in entries.items()
    ]


def recipe_key(entry: Entry) -> str:
    """A fingerprint of all that a run's recipe decides but the seed."""
    plan = entry.run.plan
    values = {k: value for k, value in deciding(plan["values"]).items() if k not in NAMES}
    base = (plan.get("base") or {}).get("sha256")
    return atomic.fingerprint([values, plan.get("inputs"), base, plan.get("models") or {}])
