"""The first rows of every file that a recipe names; a fault of one hides no other."""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from foundry.core.errors import DataError, Problem, ResourceError
from foundry.core.load import LoadedRecipe
from foundry.core.recipe import Source, TestPart
from foundry.data.acceptance import lacking_columns
from foundry.data.glimpse import Glimpse, glimpse
from foundry.data.mixture import is_replayed
from foundry.data.places import Found, expand, opened

MOST_FILES = 5  # of a folder, a pattern or an archive; one look takes up to a thousand rows


@dataclass(frozen=True)
class Seen:
    """A file that was looked at: where the recipe names it, and the test part that it is of."""

    key: str
    test: str | None
    file: Glimpse


@dataclass
class FirstLook:
    """What was seen; `more` counts the files that were not looked at.

    An archive behind the last file that was looked at stays closed and counts as one file.
    """

    files: list[Seen] = field(default_factory=list)
    more: int = 0
    problems: list[Problem] = field(default_factory=list)


def first_look(loaded: LoadedRecipe) -> FirstLook:
    """Look at the files of a recipe, at most `MOST_FILES` for each path it names."""
    look, data = FirstLook(), loaded.recipe.data
    with tempfile.TemporaryDirectory(prefix="foundry-") as scratch:
        for number, (key, source) in enumerate(data.learned):
            place = (f"{key}.path", None)
            _look_at(loaded, source, place, look, Path(scratch, f"source-{number}"))
        for number, test in enumerate(data.tests):
            key = f"data.tests.{number}.path"
            _look_at(loaded, test, (key, test.name), look, Path(scratch, f"test-{number}"))
    look.problems += _lacking(loaded, look)
    return look


def _look_at(
    loaded: LoadedRecipe,
    given: Source | TestPart,
    place: tuple[str, str | None],
    look: FirstLook,
    scratch: Path,
) -> None:
    data, (key, test) = loaded.recipe.data, place
    format = data.replay.format if data.replay and is_replayed(key) else data.format
    group_by = data.split.group_by if data.split else None
    own = given.disjoint_by if isinstance(given, TestPart) else None
    beside = (own or group_by, *(part.disjoint_by for part in data.tests))
    scratch.mkdir()
    try:
        files = _files(loaded, given, scratch)
    except (DataError, ResourceError) as error:
        look.problems += error.problems
        return
    look.more += max(0, len(files) - MOST_FILES)
    for found in files[:MOST_FILES]:
        try:
            seen = glimpse(found, format, given.read, beside=beside)
        except DataError as error:
            look.problems += error.problems
        else:
            look.files.append(Seen(key, test, seen))


def _files(loaded: LoadedRecipe, given: Source | TestPart, scratch: Path) -> list[Found]:
    """The files that a path stands for; archives are unpacked until there are enough to look at."""
    files = list[Found]()
    for number, found in enumerate(expand(given.path, loaded.path.parent, given.read).files):
        if len(files) < MOST_FILES:
            files += opened(found, scratch / str(number), given.read).files
        else:
            files.append(found)
    return files


def _lacking(loaded: LoadedRecipe, look: FirstLook) -> list[Problem]:
    """Columns that the recipe names and no row has; told only where further rows have no others."""
    if look.more or look.problems or not all(seen.file.is_table for seen in look.files):
        return []
    data = loaded.recipe.data
    replayed = [seen.file for seen in look.files if is_replayed(seen.key)]
    learned = [s.file for s in look.files if s.test is None and not is_replayed(s.key)]
    tests = {t.name: [s.file for s in look.files if s.test == t.name] for t in data.tests}
    return lacking_columns(data, learned, tests, replayed)
