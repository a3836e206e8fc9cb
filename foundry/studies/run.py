"""Run a study: every arm with every seed, one after the other, into one folder.

`study.yaml` there is the study as written, `study.json` says how far it has come, `runs/` holds the
runs. All arms of a seed come before the next seed, so that what there is of an unfinished study is
balanced.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from foundry.core import atomic
from foundry.core.errors import DataError, Problem, RecipeError
from foundry.core.language import gettext as _
from foundry.core.rundir import RunDir
from foundry.core.study import FILE, LoadedStudy, Outline, StudyArm, read_outline, write_outline
from foundry.studies.launch import Launch, launch
from foundry.studies.settle import settle

WRITTEN, RUNS = "study.yaml", "runs"
UNTIL = "evaluate"


def run_study(
    loaded: LoadedStudy,
    folder: Path,
    *,
    accepted_terms: tuple[str, ...] = (),
    tell: Callable[[str], None],
) -> Outline:
    """Train what is not trained yet; a run that is refused leaves the others to go on.

    Args:
        loaded: The study.
        folder: Its folder; made where it is not there.
        accepted_terms: Licences whose conditions the user accepted.
        tell: Told of each run that begins, in a line for people.

    Raises:
        RecipeError: Another study lies in the folder.
        DataError: Runs were refused for their data or their result; all others are done.
        FoundryError: A run stopped for a reason that the others share.
    """
    with RunDir(folder).locked():
        outline = _begin(loaded, folder)
        if outline.settled is None:
            outline = replace(outline, settled=settle(loaded, folder, accepted_terms, tell))
            write_outline(outline, folder)
        return _go(loaded, outline, folder, accepted_terms, tell)


def planned(loaded: LoadedStudy) -> Iterator[tuple[StudyArm, int]]:
    """Each arm with each seed, in the order in which they are run."""
    for seed in loaded.study.seeds:
        for arm in loaded.study.arms:
            yield arm, seed


def _begin(loaded: LoadedStudy, folder: Path) -> Outline:
    """The outline of the folder; a new one where there is none."""
    written = folder / WRITTEN
    if (folder / FILE).is_file():
        if not written.is_file() or written.read_text(encoding="utf-8") != loaded.text:
            fix = _("use another folder, or remove this one")
            problem = Problem(str(folder), _("another study lies in this folder"), fix)
            raise RecipeError(problem)
        return read_outline(folder)
    study = loaded.study
    runs: dict[str, dict[int, str | None]] = {
        arm.name: dict.fromkeys(study.seeds) for arm in study.arms
    }
    title = study.title.model_dump(by_alias=True)
    outline = Outline(study.name, title, study.budget.kind, None, runs)
    atomic.write_text(written, loaded.text)
    write_outline(outline, folder)
    return outline


def _go(
    loaded: LoadedStudy,
    outline: Outline,
    folder: Path,
    accepted_terms: tuple[str, ...],
    tell: Callable[[str], None],
) -> Outline:
    everything, refused = list(planned(loaded)), list[Problem]()
    for number, (arm, seed) in enumerate(everything, start=1):
        where = _("{arm}, seed {seed}").format(arm=arm.name, seed=seed)
        tell(f"{where} ({number}/{len(everything)})")
        settled = (outline.settled or {})[arm.name]
        overrides = (*loaded.overrides(arm, seed), *settled)
        one = Launch(loaded.recipe_of(arm), overrides, folder / RUNS, UNTIL, accepted_terms)
        try:
            made = launch(one, where)
        except DataError as error:
            refused += error.problems
            continue
        named = {**outline.runs[arm.name], seed: made.name}
        outline = replace(outline, runs={**outline.runs, arm.name: named})
        write_outline(outline, folder)
    if refused:
        raise DataError(refused)
    return outline
