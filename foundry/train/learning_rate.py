"""What `learning_rate: auto` means: a number from what is trained and for how long.

Source: Schulman et al. (2025), "LoRA Without Regret", https://thinkingmachines.ai/blog/lora: the
best rate of LoRA is about ten times that of training all weights, whatever the rank; about fifteen
times in runs of some 100 steps or fewer. 2e-5 for all weights is the default of TRL's `SFTConfig`.
"""

from typing import Literal

from foundry.core.language import gettext as _

ALL_WEIGHTS = 2e-5
UPDATE, SHORT_UPDATE = 10 * ALL_WEIGHTS, 15 * ALL_WEIGHTS
SHORT_RUN = 100  # optimizer steps

Trained = Literal["update", "weights"]
"""What an adapter trains: a low-rank update beside frozen weights, or the weights themselves."""


def learning_rate(trained: Trained, steps: int) -> tuple[float, str]:
    """The rate that `auto` means, and why in words.

    Args:
        trained: `TRAINS` of the adapter.
        steps: Optimizer steps of the whole run.
    """
    source = '"LoRA Without Regret", Schulman et al. 2025'
    if trained == "weights":
        return ALL_WEIGHTS, _("auto: all weights are trained; TRL's default")
    if steps < SHORT_RUN:
        why = _("auto: 15 times the rate for all weights, under {steps} steps ({source})")
        return SHORT_UPDATE, why.format(steps=SHORT_RUN, source=source)
    why = _("auto: 10 times the rate for all weights ({source})")
    return UPDATE, why.format(source=source)
