"""What every trainer that follows a gradient lets a recipe say: how long, how fast, in what steps.

A trainer's `Spec` is these settings and whatever it adds of its own. There is none for
`torch.compile`: lengths differ from pass to pass, so that it would compile again and again, and the
loss in blocks (`losses/head.py`), attention by row (`batches/attention.py`) and the fused update
(`fused.py`) are where it would break the graph. That it pays here has not been measured, so it is
not offered.
"""

import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from foundry.core.fields import Closed, Number, Refused
from foundry.core.language import gettext as _
from foundry.train.learning_rate import ALL_WEIGHTS

DEFAULT_EPOCHS = 3


class EarlyStopping(Closed):
    """When to stop before the last step."""

    patience: int = Field(
        ge=1, description="Measurements in a row without a better one after which it stops."
    )
    min_delta: Number = Field(
        0.0, ge=0, description="How much lower than the lowest before a loss must be to be better."
    )


class BestBy(Closed):
    """Which step's weights are kept in the end."""

    metric: Literal["validation-loss"] = Field(
        description="The step with the lowest loss on the validation rows."
    )


class TrainerSettings(Closed):
    """How long and how fast to learn.

    `all_weights_rate` is what `learning_rate: auto` means where all weights are trained, and
    `default_epochs` how long to learn where nothing says so.
    """

    all_weights_rate: ClassVar[float] = ALL_WEIGHTS
    default_epochs: ClassVar[int] = DEFAULT_EPOCHS

    max_steps: int | None = Field(
        None, ge=1, description="Optimizer steps to take; give this or `epochs`, not both."
    )
    epochs: Number | None = Field(
        None,
        gt=0,
        description=f"Times to go through the data; {DEFAULT_EPOCHS} where neither this nor "
        "`max_steps` is given.",
    )
    learning_rate: Annotated[Number, Field(gt=0, le=1)] | Literal["auto"] = Field(
        "auto",
        description="Peak step size of AdamW; `auto` takes 2e-5 where all weights are trained, "
        "ten times that for a low-rank update (or what an adapter's authors take of it) and "
        'fifteen times in runs under 100 steps ("LoRA Without Regret", Schulman et al. 2025, '
        "https://thinkingmachines.ai/blog/lora).",
    )
    global_batch_size: int = Field(
        8, ge=1, description="Examples in one optimizer step, over all devices."
    )
    micro_batch_size: Annotated[int, Field(ge=1)] | Literal["auto"] = Field(
        "auto",
        description="Examples at most in one forward pass; `auto` lets `pack_tokens` decide. "
        "It changes memory and time, not the result.",
    )
    packing: Literal["auto", "best-fit", "none"] = Field(
        "auto",
        description="`best-fit` lays examples one after the other, none sees another; `none` lays "
        "those of like length side by side. It changes memory and time, not the result.",
    )
    pack_tokens: Annotated[int, Field(ge=1)] | Literal["auto"] = Field(
        "auto",
        description="Tokens at most in one forward pass; a longer example is alone. "
        "It changes memory and time, not the result.",
    )
    schedule: Literal["linear", "cosine", "constant"] = Field(
        "linear", description="How the learning rate falls after the warm-up."
    )
    warmup_ratio: Number = Field(
        0.03,
        ge=0,
        le=1,
        description="Share of the steps in which the rate rises from 0; 0.03 as in QLoRA "
        "(https://arxiv.org/abs/2305.14314, appendix B).",
    )
    weight_decay: Number = Field(0.0, ge=0, description="Decoupled weight decay of AdamW.")
    max_grad_norm: Number = Field(
        1.0, gt=0, description="Gradients longer than this (L2, all tensors) are scaled down to it."
    )
    checkpoint_every: int = Field(
        20, ge=1, description="Steps between checkpoints; a run that stops loses at most these."
    )
    keep_checkpoints: int = Field(2, ge=1, description="How many of the newest checkpoints stay.")
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        description="Numbers that matrix products are made in; what trains is float32 anyway. "
        "`auto` takes bfloat16 on a GPU, and on a processor where a step is half as fast again "
        "in it.",
    )
    optimizer: Literal["auto", "adamw", "adamw-8bit"] = Field(
        "auto",
        description="`adamw-8bit` keeps AdamW's two moments in 8 bits each, on a GPU "
        "(https://arxiv.org/abs/2110.02861). `auto` is `adamw`; where all weights are trained on a "
        "GPU, `adamw-8bit` if the plan finds that the moments do not fit otherwise.",
    )
    deterministic: bool = Field(
        False, description="Try nothing out, and refuse operations that differ from run to run."
    )
    evaluate_every: int | None = Field(
        None,
        ge=1,
        description="Steps between measurements of the loss on the validation rows; as many as "
        "between checkpoints where absent.",
    )
    best_by: BestBy | None = Field(
        None,
        description="What decides which step's weights are kept; the last step's where absent.",
    )
    early_stopping: EarlyStopping | None = Field(
        None, description="Stops a training whose validation loss no longer falls."
    )
    gradient_checkpointing: bool | Literal["auto"] = Field(
        "auto",
        description="Compute activations twice to save memory; a third slower, same result. `auto` "
        "does so where the plan finds that they do not fit the memory otherwise.",
    )

    @property
    def most_checkpoints(self) -> int:
        """How many stay at most: the newest, and that of the best step where it is older."""
        return self.keep_checkpoints + (self.best_by is not None)

    @model_validator(mode="before")
    @classmethod
    def _fill_length(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        if values.get("max_steps") is None and values.get("epochs") is None:
            return {**values, "epochs": cls.default_epochs}
        return values

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if self.max_steps is not None and self.epochs is not None:
            raise Refused(
                _("give `max_steps` or `epochs`, not both"),
                _("remove one of them, or set it to `null`"),
            )
        return self


def steps_for(spec: TrainerSettings, rows: int) -> int:
    """Optimizer steps for `rows` training rows."""
    if spec.max_steps is not None:
        return spec.max_steps
    return math.ceil(math.ceil(rows / spec.global_batch_size) * float(spec.epochs or 0))
