"""From runs, or the folder of a study, to the document that compares them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foundry.core.errors import DataError, Problem, RecipeError
from foundry.core.language import gettext as _
from foundry.core.rundir import RunDir
from foundry.core.study import Outline, read_outline
from foundry.evals.arms.arm import Arm, arms_of, named_arms
from foundry.evals.arms.document import document
from foundry.evals.arms.entry import read_entries
from foundry.evals.arms.fairness import Budget, check_alike, check_equal
from foundry.store.runs import Run


@dataclass(frozen=True)
class Question:
    """What is compared, and what is let pass.

    Attributes:
        column: The column of the reports, `tuned` or `delivered`.
        metric: The quality of the front; the first evaluator of the recipe where None.
        budget: What must be equal; a study's own where None, else the tokens trained on.
        allow_unequal: Whether other data, another order or another budget is let pass.
    """

    column: str = "tuned"
    metric: str | None = None
    budget: Budget | None = None
    allow_unequal: bool = False


def compare_runs(runs: Sequence[Run], question: Question) -> dict[str, Any]:
    """Compare runs; those that differ in nothing but the seed are one arm.

    Raises:
        DataError: A run is not finished or its answers are not those of its report.
        ProofError: The arms may not be compared; see `fairness`.
        RecipeError: There is one arm only, a run is named twice, or a metric is not known.
    """
    names = [run.name for run in runs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        fix = _("name each run once")
        raise RecipeError([Problem(name, _("it is named twice"), fix) for name in twice])
    return _compared(arms_of(read_entries(runs, question.column)), question)


def compare_study(folder: Path, question: Question) -> dict[str, Any]:
    """Compare the arms of a study, which must all be finished.

    Raises:
        DataError: A run of it is missing or not finished.
        ProofError: The arms may not be compared; see `fairness`.
        RecipeError: The folder is not that of a study, or a metric is not known.
    """
    outline = read_outline(folder)
    _check_finished(outline, folder)
    entries = {
        arm: read_entries([_run(folder, run) for run in runs.values() if run], question.column)
        for arm, runs in outline.runs.items()
    }
    made = _compared(named_arms(entries), question, outline.budget)
    return {"study": outline.name, "title": dict(outline.title), **made}


def _compared(arms: list[Arm], question: Question, budget: Budget | None = None) -> dict[str, Any]:
    chosen = question.budget or budget or "tokens"
    check_alike(arms)
    unequal = check_equal(arms, chosen, allowed=question.allow_unequal)
    return document(arms, budget=chosen, unequal=unequal, metric=question.metric)


def _run(folder: Path, name: str) -> Run:
    return Run(RunDir(folder / "runs" / name))


def _check_finished(outline: Outline, folder: Path) -> None:
    what, fix = _("it has not been run yet"), _("run `foundry study run` again; it goes on")
    missing = [
        Problem(_("{arm}, seed {seed}").format(arm=arm, seed=seed), what, fix)
        for arm, runs in outline.runs.items()
        for seed, name in runs.items()
        if name is None or not _run(folder, name).result("evaluate")
    ]
    if missing:
        raise DataError(missing)
