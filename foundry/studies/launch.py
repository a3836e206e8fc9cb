"""Train one arm with one seed, in a process of its own.

A fresh process makes the peak of memory that is measured the run's own, and whatever kills it
leaves the study alive. Its command is the one that a person would type.
"""

import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
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
from foundry.core.rundir import RunDir
from foundry.pipeline import stage_inputs
from foundry.planning.plan import settle
from foundry.store.runs import Run, find
from foundry.store.share import share

ERRORS: tuple[type[FoundryError], ...] = (
    *(DataError, RecipeError, ResourceError, LockedError, InterruptedRun, InterruptedByUser),
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


def launch(one: Launch, where: str) -> Run:
    """Train, or find that it was done; rows that a run beside it has prepared are taken over.

    Args:
        one: What is trained.
        where: What it is called in errors.

    Raises:
        FoundryError: As the command's exit code says; what it said went to stderr.
    """
    plan = settle(load_recipe(one.recipe, one.overrides), one.accepted_terms)
    run = RunDir(one.runs / plan.run_name)
    if run.is_done(one.until, stage_inputs(plan, run, one.until)):
        return Run(run)
    donors = [found.dir for found in find(one.runs) if found.dir.path != run.path]
    with run.locked():
        share(run, plan, donors, lambda stage: stage_inputs(plan, run, stage))
    code = _call(one.command)
    if code != 0:
        raise _error(code)(_stopped(where, code))
    return Run(run)


def _call(command: Sequence[str]) -> int:
    """Run a command whose text goes to stderr; it is told of a signal that ends this process."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        return child.wait()
    except KeyboardInterrupt:  # the terminal told the child too; it saves its state
        child.wait()
        raise
    except BaseException:
        child.send_signal(signal.SIGTERM)
        child.wait()
        raise


def _error(code: int) -> type[FoundryError]:
    return next((kind for kind in ERRORS if kind.exit_code == code), ResourceError)


def _stopped(where: str, code: int) -> Problem:
    what = _("it stopped with code {code}; what it said stands above").format(code=code)
    fix = _("mend what is said above and run the same command again; the other runs are kept")
    return Problem(where, what, fix)
