"""Train one arm with one seed, in a process of its own.

A fresh process makes the peak of memory that is measured the run's own, and whatever kills it
leaves the study alive. Its command is the one that a person would type.
"""

import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

from foundry.core.errors import (
    DataError,
    FoundryError,
    InterruptedByUser,
    InterruptedRun,
    LockedError,
    Problem,
    RecipeError,
    ResourceError,
)
from foundry.core.language import gettext as _
from foundry.core.load import load_recipe
from foundry.core.records import Plan
from foundry.core.rundir import RunDir
from foundry.planning.plan import settle
from foundry.stages.walk import stage_inputs
from foundry.store.runs import Run, find
from foundry.store.share import share
from foundry.studies.answers import take_answers
from foundry.studies.crew import ALONE, Crew, Place

ERRORS: tuple[type[FoundryError], ...] = (
    *(DataError, RecipeError, ResourceError, LockedError, InterruptedRun, InterruptedByUser),
    FoundryError,
)


@dataclass(frozen=True)
class Launch:
    """One training of a study.

    Attributes:
        recipe: A file or a shipped name.
        overrides: The arguments of `--set`.
        runs: The folder of its run directory.
        until: The last stage.
        accepted_terms: Licences whose conditions the user accepted.
    """

    recipe: str
    overrides: tuple[str, ...]
    runs: Path
    until: str
    accepted_terms: tuple[str, ...]

    @property
    def command(self) -> list[str]:
        """The command line."""
        words = [sys.executable, "-P", "-m", "foundry", "train", self.recipe]
        words += ["--runs", str(self.runs), "--until", self.until]
        words += [word for text in self.overrides for word in ("--set", text)]
        return words + [w for name in self.accepted_terms for w in ("--accept-terms", name)]


def launch(one: Launch, where: str, crew: Crew, place: Place = ALONE) -> Run:
    """Train, or find that it was done; what a run beside it has made alike is taken over.

    Where others may train at the same time, the rows are prepared before they may look for them.

    Args:
        one: What is trained.
        where: What it is called in errors.
        crew: Starts its processes.
        place: Where it is trained.

    Raises:
        FoundryError: As the command's exit code says; what it said went to stderr.
    """
    with crew.preparing:
        plan = settle(load_recipe(one.recipe, one.overrides), one.accepted_terms)
        run = RunDir(one.runs / plan.run_name)
        _wait_for(run, where, crew)
        if run.is_done(one.until, stage_inputs(plan, run, one.until)):
            return Run(run)
        donors = [found.dir for found in find(one.runs) if found.dir.path != run.path]
        with run.locked():
            share(run, plan, donors, lambda stage: stage_inputs(plan, run, stage))
            take_answers(run, plan, donors)
        code = 0
        if len(crew.places) > 1 and not _is_encoded(plan, run):
            code = crew.call(replace(one, until="encode").command, place)
    code = code or crew.call(one.command, place)
    if code != 0:
        raise _error(code)(_stopped(where, code))
    return Run(run)


def _is_encoded(plan: Plan, run: RunDir) -> bool:
    return run.is_done("encode", stage_inputs(plan, run, "encode"))


def _wait_for(run: RunDir, where: str, crew: Crew) -> None:
    """Wait for a process that still trains this run: that of a study that was killed without it.

    Raises:
        KeyboardInterrupt: The study was stopped meanwhile.
    """
    told = None
    while (holder := run.holder()) is not None:
        if holder != told:
            waits = _("{arm}: process {pid} trains it already; waiting for it")
            crew.tell(waits.format(arm=where, pid=holder))
            told = holder
        if crew.is_stopped:
            raise KeyboardInterrupt
        time.sleep(1)


def _error(code: int) -> type[FoundryError]:
    return next((kind for kind in ERRORS if kind.exit_code == code), ResourceError)


def _stopped(where: str, code: int) -> Problem:
    what = _("it stopped with code {code}; what it said stands above").format(code=code)
    fix = _("mend what is said above and run the same command again; the other runs are kept")
    return Problem(where, what, fix)
