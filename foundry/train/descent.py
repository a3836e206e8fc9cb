"""Whether a training made its loss rise.

The proofs ask whether what was trained is what was meant and what is saved; a rate far too high
passes them all and shows in the losses alone. The last fifth of the steps is set beside the first
two, of which the first has the base's own loss, and with a warmup the second too. The mean rose
where it is higher by more than three standard errors, with the spread of the last steps as that of
a step. Shares and threshold are our own choice. Seen on Gemma 3 270M with LoRA+ and 1.5e-3 for A:
4.4 and 4.9 in the first two of 20 steps, 41.9 in the third, 7.4 to 8.4 in the last four.
"""

from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Any

ROSE = "loss-rose"  # the warning's code
FIRST = 2
FEWEST_STEPS = 20  # of fewer, a fifth says nothing of its spread
STANDARD_ERRORS = 3


def warning(losses: Sequence[float]) -> dict[str, Any] | None:
    """What to warn of where the loss rose, else None; also None of too few steps.

    Args:
        losses: Of each step from the first.
    """
    if len(losses) < FEWEST_STEPS:
        return None
    last = losses[-(len(losses) // 5) :]
    before, after = fmean(losses[:FIRST]), fmean(last)
    error = stdev(last) * (1 / FIRST + 1 / len(last)) ** 0.5
    if after - before <= STANDARD_ERRORS * error:
        return None
    return {"code": ROSE, "before": before, "after": after, "last_steps": len(last)}
