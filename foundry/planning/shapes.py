"""The shape of a recipe's base model: from its folder, else the catalogue, else from its size."""

from dataclasses import dataclass
from pathlib import Path

from foundry.core.errors import Problem, ResourceError
from foundry.core.language import gettext as _
from foundry.models import catalogue, configuration, names
from foundry.models.at_hand import at_hand
from foundry.models.fetch import count_parameters
from foundry.models.shape import Shape, shape_of

FOLDER, CATALOGUE, SIZE = "config.json", "configs/models", "parameters"
# A typical decoder of 2024 to 2026 where only the size is known: four query heads to one of keys,
# a feed-forward layer 3.5 times as wide, 128 layers' width to a layer, as Llama 3 and Qwen3 have.
TYPICAL_VOCABULARY, TYPICAL_HEAD, WIDTH_STEP = 151_936, 128, 512


@dataclass(frozen=True)
class KnownShape:
    """A shape and where it is from: `config.json`, `configs/models` or the number of `parameters`.

    With `parameters` alone the sizes are those of a typical model, so bounds are wider.
    """

    shape: Shape
    origin: str

    @property
    def is_guessed(self) -> bool:
        """Whether the sizes are those of a typical model of as many parameters."""
        return self.origin == SIZE


def known(base_model: str, recipe_folder: Path) -> KnownShape:
    """The shape of a model that a recipe names, whether or not it is on this machine.

    Raises:
        RecipeError, ResourceError: It names nothing there is, or nothing is known of its size.
    """
    here = at_hand(base_model, recipe_folder)
    return shape_by_name(base_model) if here is None else shape_in(here.folder)


def shape_in(folder: Path) -> KnownShape:
    """The shape of a base model that lies in a folder.

    Raises:
        ResourceError: The folder holds no weights.
    """
    config = configuration.read_object(folder / "config.json")
    counted = count_parameters(folder)
    try:
        return KnownShape(shape_of(config).with_parameters(counted), FOLDER)
    except KeyError:
        return KnownShape(typical(counted), SIZE)


def shape_by_name(base_model: str) -> KnownShape:
    """The shape of a base model that is not on this machine, such as a gated one.

    Raises:
        ResourceError: Neither its shape nor its size is known.
        RecipeError: It names nothing there is.
    """
    entry = names.wanted(base_model).entry
    if entry is not None and entry.shape is not None:
        return KnownShape(entry.shape, CATALOGUE)
    if entry is not None and entry.parameters is not None:
        return KnownShape(typical(entry.parameters), SIZE)
    what = _("neither its sizes nor its number of parameters is known without the model itself")
    raise ResourceError(Problem(base_model, what, f"foundry model fetch {base_model}"))


def smaller(base_model: str) -> list[str]:
    """Names of catalogue entries of the same family that are smaller, the largest first."""
    own = catalogue.entry_of(base_model)
    if own is None or own.parameters is None:
        return []
    found = [
        (entry.parameters, not entry.gated, name)
        for name, entry in catalogue.load_catalogue().items()
        if entry.family == own.family and entry.parameters and entry.shape
        if entry.parameters < 0.9 * own.parameters
    ]
    return [name for _size, _open, name in sorted(found, reverse=True)]


def typical(parameters: int) -> Shape:
    """The shape of a typical model of so many parameters; what is left over is `other`."""
    made = _typical(WIDTH_STEP)
    while (wider := _typical(made.hidden + WIDTH_STEP)).parameters < parameters:
        made = wider
    return made.with_parameters(parameters)


def _typical(hidden: int) -> Shape:
    heads = max(4, hidden // TYPICAL_HEAD)
    return Shape(
        layers=max(4, hidden // TYPICAL_HEAD),
        hidden=hidden,
        intermediate=7 * hidden // 2,
        heads=heads,
        kv_heads=max(1, heads // 4),
        head_dim=TYPICAL_HEAD,
        vocabulary=TYPICAL_VOCABULARY,
        tied_head=False,
    )
