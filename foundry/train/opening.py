"""Open what is trained where the plan says: the base on its device, the adapter upon it."""

from pathlib import Path
from typing import Any, TypeVar

import torch

from foundry.core import plugins
from foundry.core.errors import Problem, ResourceError
from foundry.core.events import Events
from foundry.core.language import gettext as _
from foundry.core.records import Plan
from foundry.models.load import load_model
from foundry.models.place import Place, place_of
from foundry.models.quiet import quiet
from foundry.models.reward_model import load_reward_model
from foundry.train.gives import gives_reward
from foundry.train.settings import TrainerSettings

Settings = TypeVar("Settings", bound=TrainerSettings)
# What the plan settles and the trainer does not look at again.
PLANNED = ("optimizer", "gradient_checkpointing")


def open_place(plan: Plan, trained: str, run: Path, events: Events) -> Place:
    """Where a plan trains; told where there is a choice.

    Args:
        plan: Its device is that of the run's first start.
        trained: `update` or `weights`.
        run: Folder of the run, for the message.
        events: Told of the device.

    Raises:
        ResourceError: The run began on a GPU and there is none here. On the processor it would go
            on in other numbers, and no record would show it.
    """
    place, has_gpu = place_of(plan.resolved, trained), torch.cuda.is_available()
    if place.is_gpu and not has_gpu:
        what = _("the run began on a GPU, and torch finds none here")
        fix = _("go on where there is one, or remove {folder} to begin on the processor")
        raise ResourceError(Problem("train.device", what, fix.format(folder=run)))
    if has_gpu:
        why = plan.origins["resolved.device"]
        events.emit("train", "settled", key="device", value=place.device, reason=why)
    return place


def open_model(plan: Plan, kind: str, spec: Any, place: Place) -> Any:
    """The base with a fresh adapter of a kind, whose first numbers come from the recipe's seed."""
    adapter = plugins.load("adapter", kind)
    with quiet():
        torch.manual_seed(plan.values["seed"])
        load = load_reward_model if gives_reward(plan.values["train"]["kind"]) else load_model
        return adapter.attach(load(plan.base, storage=adapter.BASE, place=place), spec)


def as_planned(spec: Settings, plan: Plan) -> Settings:
    """The trainer's settings with what the plan made of `auto`."""
    found = spec.model_dump()
    settled = {key: plan.resolved[key] for key in PLANNED if found.get(key) == "auto"}
    return spec.model_copy(update=settled)
