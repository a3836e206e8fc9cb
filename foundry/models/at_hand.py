"""Whether a base model lies on this machine ready to be read, for a look at a few rows.

Nothing is converted, hashed or downloaded, and transformers stays where it is.
"""

from dataclasses import dataclass
from importlib import util
from pathlib import Path

from foundry.models import embedded, names
from foundry.models.fetch import cached, is_embedded
from foundry.models.folder import check_folder
from foundry.models.load import family_of


@dataclass(frozen=True)
class AtHand:
    """Where a base model's tokenizer and template are."""

    name: str
    folder: Path
    family: str


def at_hand(base_model: str, recipe_folder: Path) -> AtHand | None:
    """The base model of a recipe as `foundry.models.fetch.locate` finds it.

    Returns:
        None if it must be fetched or converted first, or the packages that read it are not here.

    Raises:
        RecipeError: It names nothing there is.
        ResourceError: Its folder does not exist, or holds what is not opened.
    """
    folder = names.folder_of_base(base_model, recipe_folder)
    if folder is not None:
        return _read(folder.name, folder.resolve())
    has_hub = util.find_spec("huggingface_hub") is not None
    if "/" in base_model.partition("@")[0] and not has_hub:
        return None
    wanted = names.wanted(base_model)
    if wanted.entry is not None and is_embedded(wanted):
        made = embedded.folder_of(wanted.entry)
        return _read(wanted.name, made) if embedded.is_made(made) else None
    found = cached(wanted) if has_hub else None
    return None if found is None else _read(wanted.name, found)


def _read(name: str, folder: Path) -> AtHand | None:
    if util.find_spec("tokenizers") is None:
        return None
    check_folder(folder)
    return AtHand(name, folder, family_of(folder))
