"""Adapter `lora`: a trained low-rank update beside each frozen linear layer.

Source: Hu et al. (2021), "LoRA: Low-Rank Adaptation of Large Language Models",
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

TRAINS = "update"


class Spec(Closed):
    """Size and places of the update."""

    rank: int = Field(
        16, ge=1, le=1024, description="Inner width of the update; more learns more and costs more."
    )
    alpha: Number = Field(
        32.0,
        gt=0,
        description="The update is multiplied by alpha / rank (alpha / sqrt(rank) if stabilized).",
    )
    dropout: Number = Field(
        0.0, ge=0, lt=1, description="Share of the update's inputs dropped in training, 0 to 1."
    )
    target_modules: Literal["all-linear"] | Many[str] = Field(
        "all-linear",
        description="Layers that get an update: `all-linear`, or names such as [q_proj, v_proj].",
    )
    rank_stabilized: bool = Field(
        False,
        description="Scale by alpha / sqrt(rank), which lets high ranks learn "
        "(rsLoRA, https://arxiv.org/abs/2312.03732).",
    )


def attach(model: Any, spec: Spec) -> Any:
    """Put the update beside the chosen layers; B starts at zero, so the model is unchanged.

    Args:
        model: A transformers model; of a multimodal one, the language part alone is adapted (C22).
        spec: Size and places.

    Returns:
        A `peft.PeftModel` in which only the update trains, in float32.

    Raises:
        RecipeError: A name in `target_modules` matches no layer (C18); says how many each matches.
    """
    from foundry.models.language_part import other_parts
    from foundry.models.quiet import quiet

    if spec.target_modules != "all-linear":
        _check_targets(model, spec.target_modules)
    with quiet():
        from peft import LoraConfig, TaskType, get_peft_model

        config = LoraConfig(
            r=spec.rank,
            lora_alpha=spec.alpha,
            lora_dropout=spec.dropout,
            use_rslora=spec.rank_stabilized,
            target_modules=_targets(model, spec),
            exclude_modules=other_parts(model),
            task_type=TaskType.CAUSAL_LM,
        )
        return get_peft_model(model, config)


def _targets(model: Any, spec: Spec) -> Any:
    """What PEFT is to look for; names, where its `all-linear` would list other parts' layers."""
    from foundry.models.language_part import linear_layers, other_parts

    if spec.target_modules != "all-linear":
        return list(spec.target_modules)
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
