"""Whether an update has room for what it is to learn.

A rule of thumb, "a very rough approximation" in its source: a LoRA gives good results as long as it
has at least as many numbers as the data have tokens that the loss is taken on; beyond that it does
not stop learning but learns less of each step. Source: "LoRA Primer", Tinker's documentation,
https://tinker-docs.thinkingmachines.ai/lora-primer, section "What rank to use?" (read in November
2026 as docs/lora-primer.mdx of thinking-machines-lab/tinker-cookbook, commit e251cd5). The
experiments are in "LoRA Without Regret" (see `foundry/train/learning_rate.py`), which gives no such
number itself: it calls the capacity that supervised learning needs an open question.
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
