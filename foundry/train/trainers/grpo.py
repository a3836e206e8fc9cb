"""Trainer `grpo`: draw answers, judge them by rewards, and make the better ones likelier.

To each question of a step a group of answers is drawn; each is worth what the recipe's rewards say
beside the others of its group. The row's own answer is never learned: it is what a reward may hold
the drawn one against. Source: Shao et al. (2024), "DeepSeekMath", https://arxiv.org/abs/2402.03300.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from foundry.core.blocks import Block, Plugin
from foundry.core.errors import DataError, Problem
from foundry.core.fields import Many, Number, Refused
from foundry.core.language import gettext as _
from foundry.train import settings

if TYPE_CHECKING:
    from foundry.core.records import TrainResult
    from foundry.train.inputs import FitInputs
    from foundry.train.losses.asking import Asked
    from foundry.train.losses.rewarding import Reward

ACCEPTS = ("conversation",)
ASKS = True  # wants the rows as questions, see `foundry.train.losses.asking`
DROPOUT = False  # or answers are not drawn from what is trained, see `planning.refusals`
MANY_PROCESSES = ("ddp",)
TEACHES_END = False  # of an answer, see `delivery.parity`
VALIDATES = False  # there is no loss of a given answer to measure

steps_for = settings.steps_for


class Spec(settings.TrainerSettings):
    """What is drawn, what it is worth, how long and how fast to learn."""

    all_weights_rate: ClassVar[float] = 1e-6

    learning_rate: Annotated[Number, Field(gt=0, le=1)] | Literal["auto"] = Field(
        "auto",
        description="Peak step size of AdamW; `auto` takes 1e-6 where all weights are trained, as "
        "TRL's GRPOConfig, ten times that for a low-rank update (or what an adapter's authors "
        "take of it) and fifteen times in runs under 100 steps.",
    )
    rewards: Many[Annotated[Block, Plugin("reward")]] = Field(
        min_length=1, description="What an answer is worth: the weighted sum of these."
    )
    global_batch_size: int = Field(
        8, ge=1, description="Questions in one optimizer step, each with `group_size` answers."
    )
    group_size: int = Field(
        8,
        ge=2,
        description="Answers drawn to each question; 8 as in TRL's GRPOConfig. More tell better "
        "from worse more surely and take longer.",
    )
    max_new_tokens: int = Field(
        256, ge=1, description="Tokens at most of an answer; 256 as in TRL's GRPOConfig."
    )
    temperature: Number = Field(
        1.0, gt=0, description="Of the drawing; 1.0 as in TRL's GRPOConfig and DeepSeekMath."
    )
    beta: Number = Field(
        0.0,
        ge=0,
        description="Weight of the KL divergence from the model as it was; 0 as in TRL's "
        "GRPOConfig and DAPO (https://arxiv.org/abs/2503.14476), 0.04 in DeepSeekMath.",
    )
    loss: Literal["dapo", "grpo", "dr-grpo"] = Field(
        "dapo",
        description="What a step's loss is the mean of: `dapo` of all drawn tokens, `grpo` of the "
        "answers' means, `dr-grpo` of the answers' sums over `max_new_tokens` "
        "(https://arxiv.org/abs/2503.20783).",
    )
    packing: Literal["none"] = Field(  # type: ignore[assignment]  # fewer of the same values
        "none",
        description="Prompts are filled up on the left, as they are drawn from: a question and its "
        "answers are never laid one after the other.",
    )
    scale_rewards: Literal["group", "batch", "none"] = Field(
        "group",
        description="By which standard deviation a reward's distance from the group's mean is "
        "divided; `none` as in Dr. GRPO.",
    )

    @model_validator(mode="after")
    def _rewards_once(self) -> Self:
        kinds = [block.kind for block in self.rewards]
        twice = sorted({kind for kind in kinds if kinds.count(kind) > 1})
        if twice:
            what = _("the reward `{kind}` is listed twice").format(kind=twice[0])
            raise Refused(what, _("remove one of them"))
        return self


def sequences(lengths: Sequence[int], *, max_seq_len: int) -> list[list[int]]:
    """Which rows share a place in a batch: each has its own."""
    return [[index] for index in range(len(lengths))]


def fit(inputs: "FitInputs", spec: Spec) -> "TrainResult":
    """Train, save and prove as `foundry.train.trainers.sft.fit` does.

    Raises:
        DataError: No reward can judge any row.
    """
    from foundry.models.quiet import quiet

    with quiet():
        from foundry.train import fitting
        from foundry.train.losses.grouped import Drawing
        from foundry.train.losses.reference import reference_of
        from foundry.train.losses.rewarded import Choices, Rewarded
        from foundry.train.losses.rewarding import rewards_of

        rewards = rewards_of(spec.rewards)
        asked = _judged(inputs, rewards)
        rows = tuple(row for row in inputs.rows if row.id in asked)  # as often as a mixture says
        steps = spec.max_steps or settings.steps_for(spec, len(rows))
        # Prompts are filled up on the left, which attention by row knows nothing of.
        arrangement = replace(inputs.arrangement, kind="padded", is_given=True)
        inputs = replace(inputs, rows=rows, sequences=(), steps=steps, arrangement=arrangement)
        drawing = Drawing(
            asked=asked,
            rewards=rewards,
            stop_ids=tuple(inputs.ends or inputs.stop_ids),
            beta=float(spec.beta),
            reference=reference_of(inputs.model) if spec.beta else None,
        )
        choices = Choices(
            group_size=spec.group_size,
            max_new_tokens=spec.max_new_tokens,
            temperature=float(spec.temperature),
            loss=spec.loss,
            scale_rewards=spec.scale_rewards,
        )
        return fitting.fit(inputs, spec, Rewarded(drawing, choices))


def _judged(inputs: "FitInputs", rewards: "Sequence[Reward]") -> "dict[str, Asked]":
    """The questions that some reward can judge; the others are counted and left out."""
    from foundry.train.losses.rewarding import Said, total

    def worth(one: "Asked") -> float | None:
        answer = one.example.answer
        return total(rewards, one.example, Said(answer, len(one.row.input_ids), stopped=True))

    kept = {name: one for name, one in inputs.asked.items() if worth(one) is not None}
    if not kept:
        what = _("none of the rewards can judge any of {rows} rows")
        fix = _("name columns that the rows have, such as `required: 應含`")
        raise DataError(Problem("train.rewards", what.format(rows=len(inputs.asked)), fix))
    left_out = len({row.id for row in inputs.rows}) - len(kept)
    if left_out:
        inputs.events.emit("train", "not-judged", kept=len(kept), left_out=left_out)
    return kept
