"""Whether an update has room for what it is to learn.

A LoRA learns as well as training all weights does while it has at least as many numbers as the data
have tokens to learn; with fewer it falls behind. Source: "LoRA Primer", Tinker's documentation,
https://tinker-docs.thinkingmachines.ai/lora-primer; the experiments are in "LoRA Without Regret"
(Schulman et al. 2025, https://thinkingmachines.ai/blog/lora).
"""

from typing import Any

CAPACITY = "capacity"  # the warning's code


def warning(trained: int, supervised: int) -> dict[str, Any] | None:
    """What to warn of where fewer numbers are trained than tokens are to be learned, else None.

    Args:
        trained: Numbers of the update.
        supervised: Supervised tokens of the training rows, each row once.
    """
    if trained >= supervised:
        return None
    return {"code": CAPACITY, "trained": trained, "supervised": supervised}
