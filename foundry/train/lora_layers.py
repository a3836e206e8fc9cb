"""What the adapters share whose update of a layer is scale · B·A.

A has the shape (rank, in) and B (out, rank); B begins at zero. Hu et al. (2021), "LoRA: Low-Rank
Adaptation of Large Language Models", https://arxiv.org/abs/2106.09685.
"""

from typing import Any

from pydantic import Field

from foundry.core.errors import Problem, RecipeError
from foundry.core.fields import Number
from foundry.core.language import gettext as _
from foundry.train.update_layers import Placed, attach_update


class Places(Placed):
    """Size and places of a low-rank update."""

    rank: int = Field(
        16, ge=1, le=1024, description="Inner width of the update; more learns more and costs more."
    )
    dropout: Number = Field(
        0.0, ge=0, lt=1, description="Share of the update's inputs dropped in training, 0 to 1."
    )


class MovedPlaces(Places):
    """The same for an update that begins as a part of the weights.

    alpha is the rank where it is left out, a scale of 1, as the paper of PiSSA has it (section 5).
    """

    alpha: Number | None = Field(
        None, gt=0, description="The update is multiplied by alpha / rank; by 1 where it is absent."
    )


def attach_moved(model: Any, places: MovedPlaces, beginning: str) -> Any:
    """Move a part of the chosen layers into their updates, so that the model is unchanged.

    Args:
        model: See `attach_update`.
        places: Size, scale and places.
        beginning: Which part, `pissa` or `olora`, as `peft.LoraConfig` calls it.

    Raises:
        RecipeError: A name in `target_modules` matches no layer (C18); or a layer is narrower than
            the update, which has as many parts of it at most.
    """
    alpha = places.alpha or places.rank
    _check_width(model, places)
    return attach_lora(model, places, alpha=alpha, init_lora_weights=beginning)


def _check_width(model: Any, places: MovedPlaces) -> None:
    from foundry.models.language_part import linear_layers

    layers = linear_layers(model)
    chosen = {
        name: min(layer.weight.shape)
        for name, layer in layers.items()
        if places.target_modules == "all-linear" or name.rsplit(".", 1)[-1] in places.target_modules
    }
    narrow = min(chosen, key=chosen.__getitem__, default=None)
    if narrow is not None and chosen[narrow] < places.rank:
        what = _("`{name}` has {width} inputs or outputs, fewer than the rank of {rank}")
        shown = what.format(name=narrow, width=chosen[narrow], rank=places.rank)
        fix = _("set it to {most} or less").format(most=chosen[narrow])
        raise RecipeError(Problem("adapter.rank", shown, fix))


def attach_lora(model: Any, places: Places, *, alpha: float, **settings: Any) -> Any:
    """Put a low-rank update beside the chosen layers; B starts at zero, so the model is unchanged.

    Args:
        model: See `attach_update`.
        places: Size and places.
        alpha: The update is multiplied by alpha / rank, or by alpha / sqrt(rank) where `settings`
            say `use_rslora`.
        settings: What else `peft.LoraConfig` is told.

    Raises:
        RecipeError: A name in `target_modules` matches no layer (C18).
    """
    return attach_update(
        model,
        places.target_modules,
        "LoraConfig",
        r=places.rank,
        lora_alpha=alpha,
        lora_dropout=places.dropout,
        **settings,
    )


def numbers(inputs: int, outputs: int, spec: Places) -> int:
    """Trained numbers of a layer of so many inputs and outputs."""
    return spec.rank * (inputs + outputs)
