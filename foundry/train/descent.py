"""Whether a training brought its loss down.

The proofs ask whether what was trained is what was meant and what is saved; a rate far too high
passes them all and shows in the losses alone. The last fifth of the steps, in the mean, is set
beside the highest loss of the first tenth, in which the rate warms up: not below it, nothing was
gained. Both shares are our own choice. Seen on Gemma 3 270M with LoRA+ and 1.5e-3 for A: at most
4.9 in the first two of 20 steps, 41.9 in the third, 7.9 in the mean of the last four.
"""

from collections.abc import Sequence
from statistics import fmean
from typing import Any

NO_DESCENT = "loss-did-not-fall"  # the warning's code
FEWEST_STEPS = 10  # fewer have no tenth


def warning(losses: Sequence[float]) -> dict[str, Any] | None:
    """What to warn of where the loss did not fall, else None; also None of too few steps.

    Args:
        losses: Of each step from the first, in nats.
    """
    if len(losses) < FEWEST_STEPS:
        return None
    first, last = losses[: len(losses) // 10], losses[-(len(losses) // 5) :]
    highest, mean = max(first), fmean(last)
    if mean < highest:
        return None
    steps = {"first_steps": len(first), "last_steps": len(last)}
    return {"code": NO_DESCENT, "highest": highest, "mean": mean, **steps}
