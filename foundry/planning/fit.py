"""Edits of a recipe that make it fit a machine, each found by planning again with it.

Tried in the order in which they change the result least: a smaller pack or micro-batch and
activations computed twice change nothing; an update instead of all weights may learn less; NF4
loses a little; shorter rows lose data; a smaller base is another model.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from foundry.core.errors import FoundryError, Problem, ResourceError
from foundry.core.language import gettext as _
from foundry.core.language import language
from foundry.core.load import LoadedRecipe, load_text
from foundry.core.records import Record
from foundry.core.sizes import GIB
from foundry.planning.cost import Rates
from foundry.planning.estimate.job import FULL
from foundry.planning.forecast import SMALLEST_PACK, Forecast, forecast, known_rows, known_shape
from foundry.planning.hardware import Device
from foundry.planning.shapes import smaller

SHORTEST = 256
MOST_SHOWN = 3

Plan = Callable[[LoadedRecipe], Forecast]


@dataclass(frozen=True)
class Edit(Record):
    """`--set` arguments with which a recipe fits, and what it then takes at its peak."""

    settings: tuple[str, ...]
    memory_bytes: float

    @property
    def flags(self) -> str:
        """What to paste behind the command."""
        return " ".join(f"--set {setting}" for setting in self.settings)


def fitting_edits(loaded: LoadedRecipe, plan: Plan) -> list[Edit]:
    """Edits with which a recipe that does not fit does.

    Args:
        loaded: The recipe.
        plan: Makes the forecast of a recipe.

    Returns:
        At most `MOST_SHOWN`, those that change the result least first; each kind alone where that
        is enough, else upon the kinds before it. Empty where nothing helps.
    """
    found: list[Edit] = []
    upon: tuple[str, ...] = ()
    for kind in (_passes, _checkpointing, _update, _four_bits, _length, _base):
        best: tuple[float, tuple[str, ...]] | None = None
        for setting in kind(loaded):
            alone = _try(loaded, (setting,), plan)
            if alone is not None and alone.fits:
                found.append(Edit((setting,), alone.memory.total.expected))
                break
            together = _together(upon, setting)
            both = _try(loaded, together, plan)
            if both is not None and both.fits and upon:
                found.append(Edit(together, both.memory.total.expected))
                break
            if both is not None and (best is None or both.memory.total.expected < best[0]):
                best = (both.memory.total.expected, together)
        else:
            upon = best[1] if best else upon
        if len(found) == MOST_SHOWN:
            break
    return found


def refusal(loaded: LoadedRecipe, made: Forecast, device: Device, rates: Rates) -> ResourceError:
    """Why a recipe is refused on a device, and the edits that fit."""
    edits = edits_for(loaded, device, rates)
    return too_large(made, edits, device.title.text(language()))


def edits_for(loaded: LoadedRecipe, device: Device, rates: Rates) -> list[Edit]:
    """Edits with which a recipe fits a device; rows are counted again only for other lengths."""
    rows = {(loaded.recipe.encode.max_seq_len, loaded.recipe.base_model): known_rows(loaded)}

    def plan(other: LoadedRecipe) -> Forecast:
        key = (other.recipe.encode.max_seq_len, other.recipe.base_model)
        if key not in rows:
            rows[key] = known_rows(other)
        return forecast(other, device, rates, known_shape(other), rows[key])

    return fitting_edits(loaded, plan)


def too_large(made: Forecast, edits: Sequence[Edit], title: str) -> ResourceError:
    """The refusal of a recipe that does not fit, with what to paste behind the command."""
    what = _("needs {needed:.1f} GiB of memory; {device} has {found:.1f} GiB for it")
    needed, found = made.memory.total.expected / GIB, made.usable_bytes / GIB
    fix = _("no edit makes it fit; choose a smaller base model with `foundry model list`")
    if edits:
        shown = [f"{edit.flags} ({edit.memory_bytes / GIB:.1f} GiB)" for edit in edits]
        fix = _("add one of these, each planned and found to fit: {edits}")
        fix = fix.format(edits="; ".join(shown))
    what = what.format(needed=needed, device=title, found=found)
    return ResourceError(Problem("memory", what, fix))


def _try(loaded: LoadedRecipe, more: Sequence[str], plan: Plan) -> Forecast | None:
    """The forecast with further settings; None where the recipe may not have them."""
    try:
        return plan(load_text(loaded.source_text, loaded.path, [*loaded.overrides, *more]))
    except FoundryError:
        return None


def _together(upon: Sequence[str], setting: str) -> tuple[str, ...]:
    """A setting after others, in the place of the one of its key."""
    key = setting.partition("=")[0]
    return (*(one for one in upon if one.partition("=")[0] != key), setting)


def _passes(loaded: LoadedRecipe) -> Iterator[str]:
    train = loaded.recipe.train.spec.model_dump()
    pack = train.get("pack_tokens")
    if isinstance(pack, int):
        while (pack := pack // 2) >= SMALLEST_PACK:
            yield f"train.pack_tokens={pack}"
    micro = train.get("micro_batch_size")
    if isinstance(micro, int):
        while (micro := micro // 2) >= 1:
            yield f"train.micro_batch_size={micro}"


def _checkpointing(loaded: LoadedRecipe) -> Iterator[str]:
    if loaded.recipe.train.spec.model_dump().get("gradient_checkpointing") is False:
        yield "train.gradient_checkpointing=true"


def _update(loaded: LoadedRecipe) -> Iterator[str]:
    if loaded.recipe.adapter.kind == FULL:
        yield "adapter.kind=lora"


def _four_bits(loaded: LoadedRecipe) -> Iterator[str]:
    if loaded.recipe.adapter.kind != "qlora":
        yield "adapter.kind=qlora"


def _length(loaded: LoadedRecipe) -> Iterator[str]:
    length = loaded.recipe.encode.max_seq_len
    while (length := length // 2) >= SHORTEST:
        yield f"encode.max_seq_len={length}"


def _base(loaded: LoadedRecipe) -> Iterator[str]:
    for name in smaller(loaded.recipe.base_model):
        yield f"base_model={name}"
