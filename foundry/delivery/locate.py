"""Which package is meant by a folder, a run, or the name of a recipe."""

import re
from pathlib import Path

from foundry.core.errors import Problem, ResourceError
from foundry.core.language import gettext as _
from foundry.delivery import package_record, sums

RUNS = Path("runs")
FOLDER = "package"
FINGERPRINT = r"[0-9a-f]{8}"


def find_package(given: str, runs: Path = RUNS) -> Path:
    """The package's folder.

    Args:
        given: A package's folder, a run's folder, a run's name, or a recipe's name, which means
            the newest package among its runs.
        runs: Where runs lie.

    Raises:
        ResourceError: There is none; names the packages there are.
    """
    for folder in (Path(given), Path(given) / FOLDER):
        if (folder / package_record.NAME).is_file():
            return folder
    if named := named_package(given, runs):
        return named
    known = sorted({_recipe_of(path) for path in _packages(runs)})
    fix = (
        _("use one of: {names}").format(names=", ".join(known))
        if known
        else _("make one with `foundry train`")
    )
    raise ResourceError(Problem(given, _("no package here, and no run of this name has one"), fix))


def named_package(name: str, runs: Path = RUNS) -> Path | None:
    """The package of the run of this name, or the newest of the recipe's runs; None without."""
    folder = runs / name / FOLDER
    if (folder / package_record.NAME).is_file():
        return folder
    found = [path for path in _packages(runs) if _recipe_of(path) == name]
    return max(found, key=lambda path: (path / sums.NAME).stat().st_mtime_ns, default=None)


def _packages(runs: Path) -> list[Path]:
    return [path.parent for path in runs.glob(f"*/{FOLDER}/{sums.NAME}")]


def _recipe_of(package: Path) -> str:
    """The recipe's name, from a run's folder called `<name>-<eight hex digits>`."""
    return re.sub(rf"-{FINGERPRINT}$", "", package.parent.name)
