"""Put an update on the linear layers of a model: what all adapters of PEFT's share."""

import difflib
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field

from foundry.core.errors import Problem, RecipeError
from foundry.core.fields import Closed, Many
from foundry.core.language import gettext as _
from foundry.models.reward_model import is_reward_model

Targets = Literal["all-linear"] | Many[str]


class Placed(Closed):
    """Places of an update.

    Every linear layer by default: an update of the attention alone learns less, even at a rank that
    makes it as large ("LoRA Without Regret", Schulman et al. 2025,
    https://thinkingmachines.ai/blog/lora; Dettmers et al. 2023, figure 2).
    """

    target_modules: Targets = Field(
        "all-linear",
        description="Layers that get an update: `all-linear`, or names such as [q_proj, v_proj].",
    )


def attach_update(model: Any, targets: Targets, method: str, **settings: Any) -> Any:
    """Put an update on the chosen layers.

    Args:
        model: A transformers model; of a multimodal one, the language part alone is adapted (C22).
        targets: The layers.
        method: The class of PEFT's configuration, such as `LoraConfig`.
        settings: What that class is told beside the layers.

    Returns:
        A `peft.PeftModel` in which only the update trains, in float32.

    Raises:
        RecipeError: A name in `targets` matches no layer (C18); says how many each matches.
    """
    from foundry.models.quiet import quiet

    if targets != "all-linear":
        _check_targets(model, targets)
    with quiet():
        import peft

        kind = getattr(peft, method)
        settings |= _places(model, targets, may_exclude="exclude_modules" in vars(kind))
        # Beside the update PEFT then trains a copy of the head, and saves it with the update.
        task = peft.TaskType.SEQ_CLS if is_reward_model(model) else peft.TaskType.CAUSAL_LM
        return peft.get_peft_model(model, kind(task_type=task, **settings))


def _places(model: Any, wanted: Targets, *, may_exclude: bool) -> dict[str, Any]:
    """The layers as PEFT is told them; of a method that excludes none, by a pattern."""
    from foundry.models.language_part import language_name, other_parts

    others, names = other_parts(model), _targets(model, wanted)
    if others is None or may_exclude:
        return {"target_modules": names} | ({"exclude_modules": others} if others else {})
    inside = re.escape(language_name(model))
    return {"target_modules": rf"{inside}\..*\b({'|'.join(map(re.escape, names))})"}


def _targets(model: Any, wanted: Targets) -> Any:
    """What PEFT is to look for; names, where its `all-linear` would list other parts' layers."""
    from foundry.models.language_part import linear_layers, other_parts

    if wanted != "all-linear":
        return list(wanted)
    if other_parts(model) is None:
        return "all-linear"
    return sorted({name.rsplit(".", 1)[-1] for name in linear_layers(model)})


def _check_targets(model: Any, wanted: Sequence[str]) -> None:
    from foundry.models.language_part import linear_layers, output_head

    head = next(n for n, m in model.named_modules() if m is output_head(model))
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
