"""What a person means by a base model's name: a folder, a catalogue entry, or a hub id (C71)."""

import difflib
import os
from dataclasses import dataclass
from pathlib import Path

from foundry.core.errors import Problem, RecipeError, ResourceError
from foundry.core.language import gettext as _
from foundry.core.near import nearest
from foundry.models import catalogue
from foundry.models.catalogue import Entry

# What other programs write where a value was forgotten (detoxify#99 asked the hub for "None").
NOTHING = {"", "none", "null", "nan", "~", "undefined"}
NEAR_NAMES = 3


@dataclass(frozen=True)
class Wanted:
    """A model in the catalogue, on the hub, or both.

    `revision` is a commit, branch or tag; None means the newest of the default branch.
    """

    name: str
    hub_id: str | None
    revision: str | None
    entry: Entry | None

    @property
    def address(self) -> str:
        """What to write in a recipe or behind `foundry model fetch`."""
        return self.name if self.revision is None else f"{self.name}@{self.revision}"


def wanted(name: str, revision: str | None = None) -> Wanted:
    """Read `NAME`, `OWNER/NAME`, or either with `@REVISION`.

    Args:
        name: As a person wrote it; not a path.
        revision: One given apart from the name.

    Raises:
        RecipeError: Nothing is named; two revisions are; or it is neither a hub id nor a name in
            the catalogue (names the nearest).
    """
    refuse_nothing(name)
    model, __, own = name.partition("@")
    if own and revision and own != revision:
        what = _("two revisions are given ({first} and {second})").format(
            first=own, second=revision
        )
        raise RecipeError(Problem(name, what, _("leave one of them out")))
    if "/" not in model:
        entry = catalogue.find(model)
        pinned = own or revision or entry.revision
        return Wanted(model, entry.hub_id, pinned, entry)
    _check_hub_id(model)
    return Wanted(model, model, own or revision or None, catalogue.entry_of(model))


def refuse_nothing(name: str) -> None:
    """A name that names nothing is a fault of the recipe, not of the hub."""
    if name.strip().lower() in NOTHING:
        what = _("no base model is named (found: `{name}`)").format(name=name)
        fix = _("set `base_model` to a name of `foundry model list`, a folder or a hub id")
        raise RecipeError(Problem("base_model", what, fix))


def folder_of_base(base_model: str, recipe_folder: Path) -> Path | None:
    """The folder that `base_model` of a recipe means; None where it can only be a model's name.

    Args:
        base_model: As the recipe has it; a folder is one of the recipe's or the working folder.
        recipe_folder: The folder of the recipe file.

    Raises:
        RecipeError: Nothing is named.
        ResourceError: A path, but no folder with a model is there.
    """
    refuse_nothing(base_model)
    folders = [recipe_folder / base_model, Path(os.path.expanduser(base_model))]
    for folder in folders:
        if (folder / "config.json").is_file():
            return folder
    if not is_path(base_model):
        return None
    present = [folder for folder in folders if folder.is_dir()]
    raise no_configuration(present[0]) if present else missing_folder(base_model, recipe_folder)


def is_path(name: str) -> bool:
    """Whether a name can only be that of a folder; a revision (`@refs/pr/1`) may hold slashes."""
    return name.startswith((".", "/", "~")) or "\\" in name or name.split("@")[0].count("/") > 1


def missing_folder(name: str, beside: Path) -> ResourceError:
    """The error for a path without a folder; offers the nearest folder that holds a model."""
    near = near_folder(name, beside)
    fix = _("use `{name}`").format(name=near) if near else _("check the path in the recipe")
    return ResourceError(Problem(name, _("the folder does not exist"), fix))


def no_configuration(folder: Path) -> ResourceError:
    """The error for a folder that holds no model."""
    what = _("no config.json in the model's folder")
    return ResourceError(Problem(str(folder), what, _("check the path")))


def near_folder(name: str, beside: Path) -> str | None:
    """The path like `name` that does hold a model; each part that is missing is looked up."""
    found = Path(Path(name).anchor) if Path(name).is_absolute() else beside
    written = [Path(name).anchor] if Path(name).is_absolute() else []
    for part in Path(name).parts[len(written) :]:
        here = part if (found / part).is_dir() else _nearest_folder(part, found)
        if here is None:
            return None
        found, written = found / here, [*written, here]
    if not (found / "config.json").is_file():
        return None
    path = Path(*written).as_posix()
    return f"./{path}" if name.startswith("./") else path


def near_models(hub_id: str) -> list[str]:
    """Hub ids like this one in the hub's cache on this machine and in the catalogue, best first."""
    known = {i.lower(): i for i in [*cached_ids(), *_catalogue_ids()]}
    return [known[i] for i in difflib.get_close_matches(hub_id.lower(), known, n=NEAR_NAMES)]


def cached_ids() -> list[str]:
    """Ids of the models in the hub's cache on this machine."""
    from huggingface_hub import constants

    folders = Path(constants.HF_HUB_CACHE).glob("models--*")
    return sorted(f.name.removeprefix("models--").replace("--", "/", 1) for f in folders)


def _catalogue_ids() -> list[str]:
    return [entry.hub_id for entry in catalogue.load_catalogue().values() if entry.hub_id]


def _nearest_folder(part: str, inside: Path) -> str | None:
    if not inside.is_dir():
        return None
    names = [path.name for path in inside.iterdir() if path.is_dir()]
    return nearest(part, names)


def _check_hub_id(hub_id: str) -> None:
    from huggingface_hub.utils import HFValidationError, validate_repo_id

    try:
        validate_repo_id(hub_id)
    except HFValidationError:
        what = _("neither a folder nor a name that the hub accepts")
        fix = _("write OWNER/NAME, or a name of `foundry model list`")
        raise RecipeError(Problem(hub_id, what, fix)) from None
