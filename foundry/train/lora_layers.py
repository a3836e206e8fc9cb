"""Put a low-rank update beside the linear layers of a model: what all adapters of the kind share.

The update of a layer is scale · B·A, with A of shape (rank, in) and B of shape (out, rank); B
begins at zero. Hu et al. (2021), "LoRA: Low-Rank Adaptation of Large Language Models",
https://arxiv.org/abs/2106.09685.
"""

import difflib
from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field

from foundry.core.errors import Problem, RecipeError
from foundry.core.fields import Closed, Many, Number
from foundry.core.language import gettext as _

Targets = Literal["all-linear"] | Many[str]


class Places(Closed):
    """Size and places of an update.

    Every linear layer by default: an update of the attention alone learns less, even at a rank that
    makes it as large ("LoRA Without Regret", Schulman et al. 2025,
    https://thinkingmachines.ai/blog/lora; Dettmers et al. 2023, figure 2).
    """

    rank: int = Field(
        16, ge=1, le=1024, description="Inner width of the update; more learns more and costs more."
    )
    dropout: Number = Field(
        0.0, ge=0, lt=1, description="Share of the update's inputs dropped in training, 0 to 1."
    )
    target_modules: Targets = Field(
        "all-linear",
        description="Layers that get an update: `all-linear`, or names such as [q_proj, v_proj].",
    )


def attach_update(model: Any, places: Places, *, alpha: float, stabilised: bool = False) -> Any:
    """Put the update beside the chosen layers; B starts at zero, so the model is unchanged.

    Args:
        model: A transformers model; of a multimodal one, the language part alone is adapted (C22).
        places: Size and places.
        alpha: The update is multiplied by alpha / rank,
        stabilised: or, if true, by alpha / sqrt(rank).

    Returns:
        A `peft.PeftModel` in which only the update trains, in float32.

    Raises:
        RecipeError: A name in `target_modules` matches no layer (C18); says how many each matches.
    """
    from foundry.models.language_part import other_parts
    from foundry.models.quiet import quiet

    if places.target_modules != "all-linear":
        _check_targets(model, places.target_modules)
    with quiet():
        from peft import LoraConfig, TaskType, get_peft_model

        config = LoraConfig(
            r=places.rank,
            lora_alpha=alpha,
            lora_dropout=places.dropout,
            use_rslora=stabilised,
            target_modules=_targets(model, places.target_modules),
            exclude_modules=other_parts(model),
            task_type=TaskType.CAUSAL_LM,
        )
        return get_peft_model(model, config)


def _targets(model: Any, wanted: Targets) -> Any:
    """What PEFT is to look for; names, where its `all-linear` would list other parts' layers."""
    from foundry.models.language_part import linear_layers, other_parts

    if wanted != "all-linear":
        return list(wanted)
    if other_parts(model) is None:
        return "all-linear"
    return sorted({name.rsplit(".", 1)[-1] for name in linear_layers(model)})


def _check_targets(model: Any, wanted: Sequence[str]) -> None:
    from foundry.models.language_part import linear_layers

    head = next(n for n, m in model.named_modules() if m is model.get_output_embeddings())
    found = Counter(name.rsplit(".", 1)[-1] for name in linear_layers(model))
    if all(found[name] for name in wanted):
        return
    counts = ", ".join(f"{name} {found[name]}" for name in wanted)
    raise RecipeError(
        [_target_problem(n, sorted(found), head, counts) for n in wanted if not found[n]]
    )


def _target_problem(name: str, linear: Sequence[str], head: str, counts: str) -> Problem:
    where, fix = "adapter.target_modules", _("use `all-linear`")
    if name == head:  # trl 1.16 refuses it, since its own loss reads the head's weight
        what = _("`{name}` is the head of the model, which gets no update").format(name=name)
        return Problem(where, what, fix)
    near = difflib.get_close_matches(name, linear, n=1)
    what = _("no layer of the model is called `{name}` (layers found: {counts})")
    fix = _("use `{name}`").format(name=near[0]) if near else fix
    return Problem(where, what.format(name=name, counts=counts), fix)
