"""Run a study: every arm with every seed, one after the other or some at once, into one folder.

`study.yaml` there is the study as written, `study.json` says how far it has come, `runs/` holds the
runs. All arms of a seed come before the next seed, so that what there is of an unfinished study is
balanced.
"""

from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from foundry.core import atomic
from foundry.core.deciding import deciding
from foundry.core.errors import DataError, FoundryError, InterruptedRun, Problem, RecipeError
from foundry.core.language import gettext as _
from foundry.core.load import load_recipe
from foundry.core.rundir import RunDir
from foundry.core.study import FILE, LoadedStudy, Outline, StudyArm, read_outline, write_outline
from foundry.evals.arms.arm import NAMES
from foundry.store.runs import Run
from foundry.studies.crew import Crew, Place
from foundry.studies.launch import Launch, launch
from foundry.studies.settle import settle

WRITTEN, RUNS = "study.yaml", "runs"
UNTIL = "evaluate"


def run_study(
    loaded: LoadedStudy,
    folder: Path,
    *,
    accepted_terms: tuple[str, ...] = (),
    crew: Crew,
) -> Outline:
    """Train what is not trained yet; a run that fails leaves the others to go on.

    Args:
        loaded: The study.
        folder: Its folder; made where it is not there.
        accepted_terms: Licences whose conditions the user accepted.
        crew: Starts the processes, and is told of each run that begins or fails.

    Raises:
        RecipeError: Another study lies in the folder, or the recipe of an arm is wrong; nothing
            was trained.
        FoundryError: Runs failed, of the kind of these failures, `DataError` where they differ; all
            others are done.
        InterruptedRun: It was stopped; the same call goes on.
    """
    recipes = check_recipes(loaded)
    with RunDir(folder).locked():
        outline = _begin(loaded, folder, recipes)
        if outline.settled is None:
            with crew.stopped_with_this():
                settled = settle(loaded, folder, accepted_terms, crew)
            outline = replace(outline, settled=settled)
            write_outline(outline, folder)
        return _go(loaded, Progress(outline, folder), crew, accepted_terms)


def check_recipes(loaded: LoadedStudy) -> str:
    """Load the recipe of every arm, before an hour is spent on the first.

    Returns:
        A fingerprint of all that they decide.

    Raises:
        RecipeError: Holds the problems of all of them, each with its arm.
    """
    problems, found = list[Problem](), dict[str, Any]()
    for arm in loaded.study.arms:
        try:
            one = load_recipe(loaded.recipe_of(arm), loaded.overrides(arm, loaded.study.seeds[0]))
            found[arm.name] = {k: v for k, v in deciding(one.values).items() if k not in NAMES}
        except RecipeError as error:
            problems += [
                replace(found, where=f"{arm.name}: {found.where}") for found in error.problems
            ]
    if problems:
        raise RecipeError(problems)
    return atomic.fingerprint(found)


def planned(loaded: LoadedStudy) -> Iterator[tuple[StudyArm, int]]:
    """Each arm with each seed, in the order in which they are run."""
    for seed in loaded.study.seeds:
        for arm in loaded.study.arms:
            yield arm, seed


def _begin(loaded: LoadedStudy, folder: Path, recipes: str) -> Outline:
    """The outline of the folder; a new one where there is none.

    Raises:
        RecipeError: The study there is another one, or was begun with other recipes, whose runs
            would be compared with those of today's.
    """
    written, fix = folder / WRITTEN, _("use another folder, or remove this one")
    if (folder / FILE).is_file():
        if not written.is_file() or written.read_text(encoding="utf-8") != loaded.text:
            raise RecipeError(Problem(str(folder), _("another study lies in this folder"), fix))
        outline = read_outline(folder)
        if outline.recipes not in (None, recipes):
            what = _("a recipe of this study, or the program, was changed since it began here")
            raise RecipeError(Problem(str(folder), what, fix))
        return outline if any(_names(outline)) else replace(outline, recipes=recipes)
    study = loaded.study
    runs: dict[str, dict[int, str | None]] = {
        arm.name: dict.fromkeys(study.seeds) for arm in study.arms
    }
    title = study.title.model_dump(by_alias=True)
    budget = None if study.budget is None else study.budget.kind
    outline = Outline(study.name, title, budget, None, runs, recipes)
    atomic.write_text(written, loaded.text)
    write_outline(outline, folder)
    return outline


def _names(outline: Outline) -> Iterator[str | None]:
    """The name of each run that was begun, None of any other."""
    return (name for named in outline.runs.values() for name in named.values())


@dataclass
class Progress:
    """How far a study has come while it runs.

    Attributes:
        outline: What is done, as it stands in the folder.
        failures: Why runs failed, each told when it happened.
    """

    outline: Outline
    folder: Path
    failures: list[FoundryError] = field(default_factory=list)

    def take(self, arm: StudyArm, seed: int, found: Future[Run], crew: Crew) -> None:
        """Note down a run that ended.

        Raises:
            InterruptedRun: It was stopped, as the whole study is then.
        """
        try:
            made = found.result()
        except InterruptedRun:
            raise
        except FoundryError as error:
            self.failures.append(error)
            where = _where(arm, seed)
            crew.tell(_("{arm}: failed; the others go on").format(arm=where))
            return
        runs = self.outline.runs
        named = {**runs[arm.name], seed: made.name}
        self.outline = replace(self.outline, runs={**runs, arm.name: named})
        write_outline(self.outline, self.folder)


def _go(
    loaded: LoadedStudy, progress: Progress, crew: Crew, accepted_terms: tuple[str, ...]
) -> Outline:
    """Train what is planned, as many at once as there are places."""
    everything = list(planned(loaded))
    waiting, places = list(enumerate(everything, start=1)), list(crew.places)
    running = dict[Future[Run], tuple[StudyArm, int, Place]]()
    with ThreadPoolExecutor(len(places)) as pool, crew.stopped_with_this():
        while waiting or running:
            while waiting and places:
                (number, (arm, seed)), place = waiting.pop(0), places.pop(0)
                where = _where(arm, seed)
                crew.tell(f"{where} ({number}/{len(everything)})")
                one = _launch(loaded, progress, arm, seed, accepted_terms)
                running[pool.submit(launch, one, where, crew, place)] = arm, seed, place
            for found in wait(running, return_when=FIRST_COMPLETED).done:
                arm, seed, place = running.pop(found)
                places.append(place)
                progress.take(arm, seed, found, crew)
    if progress.failures:
        raise _together(progress.failures)
    return progress.outline


def _launch(
    loaded: LoadedStudy,
    progress: Progress,
    arm: StudyArm,
    seed: int,
    accepted_terms: tuple[str, ...],
) -> Launch:
    settled = (progress.outline.settled or {})[arm.name]
    overrides = (*loaded.overrides(arm, seed), *settled)
    runs = progress.folder / RUNS
    return Launch(loaded.recipe_of(arm), overrides, runs, UNTIL, accepted_terms)


def _where(arm: StudyArm, seed: int) -> str:
    return _("{arm}, seed {seed}").format(arm=arm.name, seed=seed)


def _together(failures: list[FoundryError]) -> FoundryError:
    """One error for all that failed: of their own kind where they agree."""
    kinds = {type(error) for error in failures}
    kind = kinds.pop() if len(kinds) == 1 else DataError
    return kind([problem for error in failures for problem in error.problems])
