"""Where the recipes and configs lie that come with the program, and how a recipe is found.

In a checkout they lie at its root; a wheel carries them in `foundry/_shipped`.
"""

import os
from pathlib import Path

from foundry.core.errors import Problem, ResourceError
from foundry.core.language import gettext as _
from foundry.core.near import nearest

PACKAGE = Path(__file__).resolve().parent.parent

# The folders of configs/ whose files a recipe may extend; the others hold facts for rules.
FRAGMENT_FOLDERS = ("adapters",)


def root() -> Path:
    """The folder that holds `recipes/`, `studies/` and `configs/`."""
    packed = PACKAGE / "_shipped"
    return packed if packed.is_dir() else PACKAGE.parent


def recipe_names() -> tuple[str, ...]:
    """The shipped recipes, such as `retail/customer-service`, sorted."""
    return _names(root() / "recipes")


def fragment_names() -> tuple[str, ...]:
    """What `extends` accepts, such as `adapters/lora`, sorted."""
    configs = root() / "configs"
    return tuple(f"{f}/{name}" for f in FRAGMENT_FOLDERS for name in _names(configs / f))


def fragment_path(name: str) -> Path:
    """The file of a fragment that `fragment_names` lists."""
    return root() / "configs" / f"{name}.yaml"


def find_recipe(argument: str) -> Path:
    """The file meant by a path or by the name of a shipped recipe; an existing path wins.

    Raises:
        ResourceError: There is neither; names the nearest shipped recipe.
    """
    what = _("no such file, and no shipped recipe has this name")
    return _find(argument, "recipes", Problem(argument, what, _("see `foundry recipe list`")))


def is_recipe(argument: str) -> bool:
    """Whether `find_recipe` would find one."""
    return _path(argument, "recipes") is not None


def study_names() -> tuple[str, ...]:
    """The shipped studies, such as `adapters-shop`, sorted."""
    return _names(root() / "studies")


def find_study(argument: str) -> Path:
    """The file meant by a path or by the name of a shipped study; an existing path wins.

    Raises:
        ResourceError: There is neither; names the nearest shipped study.
    """
    what = _("no such file, and no shipped study has this name")
    fix = _("use one of {names}").format(names=", ".join(study_names()))
    return _find(argument, "studies", Problem(argument, what, fix))


def _find(argument: str, folder: str, unknown: Problem) -> Path:
    path = _path(argument, folder)
    if path is not None:
        return path
    near = nearest(_name(argument, folder), _names(root() / folder))
    fix = _("use `{name}`").format(name=near) if near else unknown.fix
    raise ResourceError(Problem(argument.replace("\0", "?"), unknown.what, fix))


def _path(argument: str, folder: str) -> Path | None:
    if "\0" not in argument and Path(argument).is_file():
        return Path(argument)
    name = _name(argument, folder)
    return root() / folder / f"{name}.yaml" if name in _names(root() / folder) else None


def _name(argument: str, folder: str) -> str:
    return argument.removesuffix(".yaml").replace("\\", "/").removeprefix(f"{folder}/")


def label(path: Path) -> str:
    """`path` as messages name it: below the checkout or the working folder, else as given."""
    absolute = Path(os.path.abspath(path))
    for base in (root(), Path.cwd()):
        if absolute.is_relative_to(base):
            return absolute.relative_to(base).as_posix()
    return path.as_posix()


def _names(folder: Path) -> tuple[str, ...]:
    files = folder.rglob("*.yaml")
    return tuple(sorted(f.relative_to(folder).with_suffix("").as_posix() for f in files))
