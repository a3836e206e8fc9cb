"""What a study's budget comes to for each arm, found out by a trial where that is needed."""

from pathlib import Path

from foundry.core import plugins
from foundry.core.environment import SHARE
from foundry.core.errors import DataError, Problem
from foundry.core.language import gettext as _
from foundry.core.load import load_recipe
from foundry.core.study import LoadedStudy, StudyArm
from foundry.evals.arms.entry import step_seconds
from foundry.evals.arms.fairness import TOLERANCE
from foundry.store.runs import Run
from foundry.studies.crew import Crew
from foundry.studies.launch import Launch, launch

TRIALS = "trials"
TRIAL_STEPS = 12  # the first warms up; the pace is the median of the others


def settle(
    loaded: LoadedStudy, folder: Path, accepted_terms: tuple[str, ...], crew: Crew
) -> dict[str, list[str]]:
    """The arguments of `--set` that give each arm its share of the budget.

    A trial is trained where an arm is, on its share of the cores, though nothing is beside it.

    Raises:
        DataError: An arm trains more or fewer numbers than the budget; says which rank would fit.
        FoundryError: A trial failed.
    """
    budget, settled, wrong = loaded.study.budget, dict[str, list[str]](), list[Problem]()
    for arm in loaded.study.arms:
        if budget is None:
            settled[arm.name] = []
            continue
        if budget.kind == "steps":
            settled[arm.name] = length(int(budget.amount))
            continue
        crew.tell(_("{arm}: trial for the budget").format(arm=arm.name))
        trial = _trial(loaded, arm, folder, accepted_terms, crew)
        if budget.kind == "trainable-parameters":
            settled[arm.name] = []
            wrong += _too_many(arm, trial, int(budget.amount))
        else:
            settled[arm.name] = length(_steps(trial, budget.kind, budget.amount))
    if wrong:
        raise DataError(wrong)
    return settled


def length(steps: int) -> list[str]:
    """What makes a recipe train a number of steps, however it says how long."""
    return ["train.epochs=null", f"train.max_steps={steps}"]


def _trial(
    loaded: LoadedStudy, arm: StudyArm, folder: Path, accepted_terms: tuple[str, ...], crew: Crew
) -> Run:
    budget, recipe = loaded.study.budget, loaded.recipe_of(arm)
    overrides = (*loaded.overrides(arm, loaded.study.seeds[0]), *length(TRIAL_STEPS))
    by_tokens = budget is not None and budget.kind == "tokens"
    is_counted = by_tokens and _learns_rows(load_recipe(recipe, overrides).recipe.train.kind)
    until = "encode" if is_counted else "train"
    one = Launch(recipe, overrides, folder / TRIALS, until, accepted_terms)
    place = {name: value for name, value in crew.places[0].items() if name != SHARE}
    return launch(one, arm.name, crew, place)


def _learns_rows(kind: str) -> bool:
    """Whether a step of a trainer is so many rows as they are encoded.

    Else rows share a place of the batch, or the model draws what is learned: the tokens of a step
    are known only once it was trained.
    """
    trainer = plugins.load("trainer", kind)
    shares = len(trainer.sequences([1, 1], max_seq_len=2)) < 2
    return not shares and not plugins.optional(trainer, "ASKS")


def _steps(trial: Run, kind: str, amount: float) -> int:
    """Steps that take so many tokens, or so many seconds at the trial's pace; at least one."""
    if kind == "tokens" and _learns_rows(trial.value("train", "kind")):
        encoded, rows = trial.result("encode"), trial.value("train", "global_batch_size")
        return max(1, round(amount / (encoded["tokens"] / encoded["rows"] * rows)))
    if kind == "tokens":
        trained = trial.result("train")
        return max(1, round(amount / (trained["tokens"] / trained["steps"])))
    seconds = step_seconds(trial)
    assert seconds is not None  # a trial has more steps than the one that warms up
    return max(1, int(amount / (seconds / trial.result("train")["steps"])))


def _too_many(arm: StudyArm, trial: Run, wanted: int) -> list[Problem]:
    """Why an arm does not train as many numbers as the budget says; rank and number go together."""
    found = trial.result("train")["trainable_parameters"]
    if abs(found - wanted) <= TOLERANCE["trainable-parameters"] * max(found, wanted):
        return []
    what = _("the trial trained {found} numbers, the budget is {wanted}")
    rank = trial.value("adapter", "rank")
    fix = _("choose an adapter that trains as many")
    if rank:
        fix = _("set `adapter.rank` to about {rank} for it")
        fix = fix.format(rank=max(1, round(rank * wanted / found)))
    return [Problem(arm.name, what.format(found=found, wanted=wanted), fix)]
