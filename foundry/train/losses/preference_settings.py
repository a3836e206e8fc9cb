"""What `dpo`, `kto` and `orpo` let a recipe say besides how long and in what steps."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from foundry.core.fields import Number
from foundry.train.settings import TrainerSettings


class PreferenceSettings(TrainerSettings):
    """How long and how fast to learn, and how hard the loss pulls.

    1e-6 for all weights and beta 0.1 are the defaults of TRL 1.16 in all three
    (`trl/trainer/dpo_config.py`, `trl/trainer/kto_config.py`,
    `trl/experimental/orpo/orpo_config.py`: `learning_rate`, `beta`), and those of Rafailov et al.
    (2023), https://arxiv.org/abs/2305.18290, appendix B.
    """

    all_weights_rate: ClassVar[float] = 1e-6

    learning_rate: Annotated[Number, Field(gt=0, le=1)] | Literal["auto"] = Field(
        "auto",
        description="Peak step size of AdamW; `auto` takes 1e-6 where all weights are trained (the "
        "default of TRL 1.16), ten times that for a low-rank update (or what an adapter's authors "
        'take of it) and fifteen times in runs under 100 steps ("LoRA Without Regret", Schulman et '
        "al. 2025, https://thinkingmachines.ai/blog/lora).",
    )
    beta: Number = Field(
        0.1,
        gt=0,
        description="How strongly the loss holds the model to what it was; in `orpo` the weight of "
        "the odds. 0.1 as in TRL 1.16.",
    )
