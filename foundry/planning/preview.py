"""What a recipe will take on any machine, whether or not its base model is on this one."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from foundry.core.load import LoadedRecipe
from foundry.core.records import BaseModel, Plan
from foundry.data.places import require_inputs
from foundry.models import names
from foundry.models.at_hand import at_hand
from foundry.models.fetch import is_embedded
from foundry.planning import accelerator
from foundry.planning.accelerator import Look
from foundry.planning.cost import Rates
from foundry.planning.fit import Edit, edits_for
from foundry.planning.forecast import Forecast, forecast, known_rows, known_shape
from foundry.planning.hardware import THIS_MACHINE, Device
from foundry.planning.licences import clear
from foundry.planning.plan import check_asked, fitted, settle
from foundry.planning.processes import check_processes, check_room
from foundry.planning.refusals import check_context, check_device
from foundry.planning.shortfalls import Shortfall, shortfalls, sizes_in_files


@dataclass(frozen=True)
class Preview:
    """A forecast, the edits that fit where the recipe does not, and the plan if it can be made."""

    forecast: Forecast
    device: Device
    edits: tuple[Edit, ...]
    plan: Plan | None
    shortfalls: tuple[Shortfall, ...] = ()
    """Gates that the test parts are too small for."""

    def as_dict(self, loaded: LoadedRecipe) -> dict[str, Any]:
        """The document of `--json`; `run` is None where the base model is not here yet."""
        plan = self.plan
        given = {"values": dict(loaded.values), "origins": dict(loaded.origins)}
        told = given if plan is None else plan.as_dict()
        return {
            "run": None if plan is None else plan.run_name,
            **told,
            "estimate": self.forecast.as_dict(),
            "device": self.device.model_dump(mode="json"),
            "edits": [edit.as_dict() for edit in self.edits],
            "warnings": list(self.forecast.warnings),
            "shortfalls": [one.as_dict() for one in self.shortfalls],
        }


def preview(
    loaded: LoadedRecipe,
    device: Device,
    rates: Rates,
    accepted: Collection[str],
    override: str | None = None,
) -> Preview:
    """Plan a recipe for a device.

    Args:
        loaded: A checked recipe.
        device: What is to train it.
        rates: What an hour and a kWh cost there.
        accepted: Names of licences whose conditions the user accepted.
        override: Why to go on although licences conflict; None refuses.

    Raises:
        ResourceError: A data file is missing, or nothing is known of the base model.
        RecipeError: The recipe asks for what the base model cannot do.
        LicenceError: Base, data and purpose do not go together, or terms were not accepted.
    """
    require_inputs(loaded)
    plan = settle(loaded, accepted, override) if _is_here(loaded) else None
    if plan is None:
        base = _promised(loaded.recipe.base_model)
        clear(loaded, base, accepted, override)
        check_context(loaded, base)
        check_asked(loaded, None)
        is_here = device.name == THIS_MACHINE
        check_processes(loaded, accelerator.look() if is_here else Look(None, None))
    check_device(loaded, device.backend, has_bfloat16=device.has_bfloat16)
    if device.name == THIS_MACHINE:
        check_room(loaded, accelerator.look())
    rows = known_rows(loaded)
    made = forecast(loaded, device, rates, known_shape(loaded), rows)
    if plan is not None and device.name == THIS_MACHINE:
        plan = fitted(plan, made.as_dict())
    edits = () if made.fits else tuple(edits_for(loaded, device, rates))
    sizes = sizes_in_files(loaded, rows.count) if loaded.recipe.gates else {}
    return Preview(made, device, edits, plan, tuple(shortfalls(loaded.recipe, sizes)))


def _is_here(loaded: LoadedRecipe) -> bool:
    name, folder = loaded.recipe.base_model, loaded.path.parent
    if names.is_path(name) or (folder / name / "config.json").is_file():
        return True
    return at_hand(name, folder) is not None or is_embedded(names.wanted(name))


def _promised(base_model: str) -> BaseModel:
    """What the catalogue says of a base model that is not on this machine."""
    wanted = names.wanted(base_model)
    entry = wanted.entry
    return BaseModel(
        name=wanted.name,
        family=(entry.family if entry else None) or "",
        hub_id=wanted.hub_id,
        revision=wanted.revision,
        sha256="",
        licence=entry.licence if entry else "unknown",
        folder="",
        gguf=None,
        parameters=(entry.parameters if entry else None) or 0,
        context=(entry.context if entry else None) or 10**9,
    )
