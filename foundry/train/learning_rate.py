"""What `learning_rate: auto` means: a number from what is trained and for how long.

Source: Schulman et al. (2025), "LoRA Without Regret", https://thinkingmachines.ai/blog/lora,
doi 10.64434/tml.20250929, sections "Optimal learning rates for LoRA vs. FullFT" and "Learning rates
in short and long runs" (read in November 2026, in a copy of its text). Over 14 models of the Llama
and Qwen families the best rate of LoRA was 9.8 times that of training all weights, whatever the
model's width. It differs by less than twice between ranks 4 and 512, at alpha 32 and scale
alpha / rank. For short runs the source has "preliminary" and "anecdotal" evidence of about 15
times, "under ~100 steps or so", because B begins at zero and A counts for little until it has
grown. The rates were constant there, without warmup. The older "20 to 100 times" of Tinker's LoRA
Primer is withdrawn by its own code, which has 10 since (`get_lora_lr_over_full_finetune_lr` of
tinker-cookbook).

2e-5 for all weights is the default of `SFTConfig` of TRL 1.16. Its page of the same name,
https://huggingface.co/docs/trl/lora_without_regret, takes 1e-6 and ten times as much, for
reinforcement learning, and asks for fewer than 32 rows in a step.
"""

from math import prod
from typing import Literal

from foundry.core.language import gettext as _

ALL_WEIGHTS = 2e-5
UPDATE_TIMES, SHORT_TIMES = 10, 15
SHORT_RUN = 100  # optimizer steps

Trained = Literal["update", "weights"]
"""What an adapter trains: a low-rank update beside frozen weights, or the weights themselves."""


def learning_rate(
    trained: Trained, steps: int, times: float | None = 1.0, all_weights: float = ALL_WEIGHTS
) -> tuple[float, str]:
    """The rate that `auto` means, and why in words.

    Args:
        trained: `TRAINS` of the adapter.
        steps: Optimizer steps of the whole run.
        times: The rate of the adapter's own authors over LoRA's, `TIMES_RATE` of it; None
            where LoRA's is taken without having been tried for it.
        all_weights: The rate for all weights, which belongs to the loss.
    """
    source = '"LoRA Without Regret", Schulman et al. 2025'
    if trained == "weights":
        return all_weights, _("auto: all weights are trained; TRL's default")
    if times is None:
        by = SHORT_TIMES if steps < SHORT_RUN else UPDATE_TIMES
        return _product(by, all_weights), _("auto: LoRA's rate; not tried for this method")
    if times != 1:
        why = _("auto: {times:g} times LoRA's rate of a long run, as its authors have it")
        return _product(times, UPDATE_TIMES, all_weights), why.format(times=times)
    if steps < SHORT_RUN:
        why = _("auto: 15 times the rate for all weights, under {steps} steps ({source})")
        return _product(SHORT_TIMES, all_weights), why.format(steps=SHORT_RUN, source=source)
    why = _("auto: 10 times the rate for all weights ({source})")
    return _product(UPDATE_TIMES, all_weights), why.format(source=source)


def _product(*factors: float) -> float:
    """As a person would write it: 15 times 1e-6 is 1.5e-05, and no 1.4999999999999999e-05."""
    return float(f"{prod(factors):.12g}")
