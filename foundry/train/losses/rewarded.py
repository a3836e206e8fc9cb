"""The objective of `grpo`: what TRL is told, and its numbers written out by hand before they count.

What was drawn cannot be held against the shards. Instead the log-probabilities of drawn answers,
their advantages and their loss are computed once more from logits and rewards alone, and in the end
every token that was learned from must be one that was drawn.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from trl import GRPOConfig

from foundry.core.language import gettext as _
from foundry.core.records import EncodedRow
from foundry.train import proof
from foundry.train.batches.collate import on_device
from foundry.train.inputs import FitInputs
from foundry.train.losses.grouped import Drawing, GroupTrainer, Loss
from foundry.train.losses.objective import Objective
from foundry.train.losses.rewarding import total
from foundry.train.steps import Row

# What TRL adds to a group's standard deviation before it divides (`grpo_trainer.py:2745`).
STD_FLOOR = 1e-4
# In nats, of one token. Float32 noise of tiny models is under 1e-4, and an answer that sees what
# fills up its prompt is further off than this. In bfloat16 the worst of thousands says little.
LARGEST_NOISE, LARGEST_NOISE_OF_HALF = 1e-3, 1.0
# A float32 mean of a few numbers of one size: a rounding for each pair that is added, and one of
# the division; each is half a unit (2^-24) of the sum at most.
FLOAT32_UNIT, MEAN_ROUNDINGS = 2.0**-23, 4


@dataclass(frozen=True)
class Advantage:
    """What an answer is worth beside its group, and how far float32 may be from it."""

    value: float
    noise: float


@dataclass(frozen=True)
class Choices:
    """What the recipe chose of GRPO."""

    group_size: int
    max_new_tokens: int
    temperature: float
    loss: Loss
    scale_rewards: str


class Rewarded(Objective):
    """Learn from how a group of drawn answers compares by the recipe's rewards."""

    config, trainer = GRPOConfig, GroupTrainer
    can_try = False  # most of a step is drawing
    is_to_fall = False  # the advantages of a group add up to 0, whatever it was rewarded with

    def __init__(self, drawing: Drawing, choices: Choices) -> None:
        self.drawing, self.choices = drawing, choices

    def settings(self) -> dict[str, Any]:
        """Each of TRL's own defaults that matters is stated."""
        chosen = self.choices
        return {
            "num_generations": chosen.group_size,
            # A multiple of the group whatever the questions are; `GroupTrainer` draws by itself.
            "steps_per_generation": chosen.group_size,
            "num_iterations": 1,  # each answer is learned from once, so that no ratio is clipped
            "max_completion_length": chosen.max_new_tokens,
            "temperature": chosen.temperature,
            "loss_type": chosen.loss.replace("-", "_"),
            "scale_rewards": chosen.scale_rewards,
            "reward_weights": [reward.weight for reward in self.drawing.rewards],
            "beta": 0.0,  # `GroupTrainer` sets it, since TRL would load a reference by its name
            "disable_dropout": True,  # or what is drawn is not drawn from what is trained
            "use_vllm": False,
        }

    def further(self, inputs: FitInputs) -> dict[str, Any]:
        """The questions, rewards, ends and the reference."""
        return {"drawing": self.drawing}

    def head(self, inputs: FitInputs) -> None:
        """TRL's own head is used, which scores what was drawn in tiles of the vocabulary."""

    def probe(self, trainer: Any, rows: Sequence[EncodedRow], count: int) -> dict[str, Any]:
        """Draw answers to two questions, and compare all that TRL makes of them with logits.

        Nothing of it is learned from.
        """
        trainer.model.train()
        found = self._checked(trainer, trainer.draw(self._unlike(rows)))
        trainer._metrics["train"].clear()
        return found

    def _unlike(self, rows: Sequence[EncodedRow]) -> list[str]:
        """The questions with the shortest and the longest prompt: side by side one is filled up."""
        names = sorted(
            (row.id for row in rows), key=lambda one: len(self.drawing.asked[one].prompt_ids)
        )
        return list(dict.fromkeys((names[0], names[-1])))

    def _checked(self, trainer: Any, answers: Sequence[Row]) -> dict[str, Any]:
        model, items = trainer.model, trainer.items(answers)
        found = self._by_rewards(trainer, answers)
        apart = (
            (float(a["advantage"]) - one.value, one) for a, one in zip(answers, found, strict=True)
        )
        off = max(abs(by) - one.noise for by, one in apart)
        if off > proof.LOSS_TOLERANCE:
            what = _("an advantage differs by {off:.3g} from what the rewards say by hand")
            raise proof.refuse("train.loss", what.format(off=off))
        # Those of a group add up to 0, in which a wrong divisor would hide.
        tried = [float(number) for number in range(1, len(answers) + 1)]
        answers = [
            {**answer, "advantage": torch.tensor(one, device=model.device)}
            for answer, one in zip(answers, tried, strict=True)
        ]
        model.eval()
        with torch.no_grad():
            batches = [on_device(batch, model.device) for batch in trainer.micro_batches(answers)]
            trainer.before_step(model, batches, answers)
            ours = sum(float(trainer.summed_loss(model, batch)) for batch in batches) / items
            expected = self.by_hand(trainer, answers, tried) / items
        model.train()
        tolerance = proof.loss_tolerance(model)
        if abs(ours - expected) > tolerance * max(1.0, abs(expected)):
            what = _("the trainer's loss is {found:.6f}, by hand it is {expected:.6f}")
            raise proof.refuse("train.loss", what.format(found=ours, expected=expected))
        return {
            "trainer": round(ours, 7),
            "by_hand": round(expected, 7),
            "rows": len(answers),
            "largest_logprob_difference": self._beside_alone(trainer, answers),
        }

    @torch.no_grad()
    def _beside_alone(self, trainer: Any, answers: Sequence[Row]) -> float:
        """How far an answer's log-probabilities beside another are from its own alone, in nats.

        The loss cannot show it: the ratio to what was drawn is 1 whatever stands beside an answer.
        Each answer to the first question stands beside one to the last, if answers ever do.
        """
        off, model, size = 0.0, trainer.model, self.choices.group_size
        pairs = [[*pair] for pair in zip(answers[:size], answers[-size:], strict=True)]
        if trainer.arrangement.micro_batch_size == 1:
            pairs = [[answer] for answer in answers]
        for pair in pairs:
            batch = on_device(trainer.side_by_side(pair), model.device)
            scored_BC = trainer.scored(batch).double()
            for scored_C, answer in zip(scored_BC, pair, strict=True):
                alone_C = self.log_probabilities(trainer, model, answer)
                off = max(off, float((alone_C - scored_C[: len(alone_C)]).abs().max()))
        most = LARGEST_NOISE if model.dtype == torch.float32 else LARGEST_NOISE_OF_HALF
        if not off <= most:
            what = _("log-probabilities of a drawn answer differ by {off:.3g} from its logits'")
            raise proof.refuse("train.loss", what.format(off=off))
        return off

    def _by_rewards(self, trainer: Any, answers: Sequence[Row]) -> "list[Advantage]":
        """What each answer is worth beside its group, from the rewards alone.

        (r - mean) / (std + 1e-4), with the standard deviation (n - 1) of the group, of all answers
        of the step, or 1 by `scale_rewards`. TRL takes the mean in float32: of six equal rewards of
        0.3 it is a unit off, which the floor of 1e-4 makes 3e-4 of.
        """
        rewards = self.drawing.rewards
        worth = [
            total(rewards, self.drawing.asked[a["id"]].example, trainer.said(a["said_ids"])) or 0.0
            for a in answers
        ]
        size, made = self.choices.group_size, list[Advantage]()
        for start in range(0, len(worth), size):
            group = torch.tensor(worth[start : start + size], dtype=torch.float64)
            over = {"group": group, "batch": torch.tensor(worth, dtype=torch.float64)}
            scale = over.get(self.choices.scale_rewards)
            by = 1.0 if scale is None else float(scale.std()) + STD_FLOOR
            noise = MEAN_ROUNDINGS * FLOAT32_UNIT * float(group.abs().max()) / by
            made += [Advantage(one, noise) for one in ((group - group.mean()) / by).tolist()]
        return made

    def by_hand(self, trainer: Any, answers: Sequence[Row], advantages: Sequence[float]) -> float:
        """The summed loss from logits, each answer alone.

        A token's loss is -A + β (exp(q - p) - (q - p) - 1), with p and q the log-probabilities of
        the model and of the reference: the ratio to what the answer was drawn from is 1, since it
        is learned from at once.
        """
        summed = 0.0
        for answer, advantage in zip(answers, advantages, strict=True):
            loss_C = -advantage * torch.ones(len(answer["said_ids"]), dtype=torch.float64)
            if self.drawing.reference is not None:
                p_C = self.log_probabilities(trainer, trainer.model, answer)
                with self.drawing.reference():
                    q_C = self.log_probabilities(trainer, trainer.model, answer)
                gap_C = (q_C - p_C).cpu()
                loss_C += self.drawing.beta * (gap_C.exp() - gap_C - 1)
            whole = float(loss_C.sum())
            length = len(answer["said_ids"])
            by = {"dapo": 1, "grpo": length, "dr-grpo": self.choices.max_new_tokens}
            summed += whole / by[self.choices.loss]
        return summed

    @torch.no_grad()
    def log_probabilities(self, trainer: Any, model: Any, answer: Row) -> torch.Tensor:
        """Of the tokens of an answer that was drawn, in nats, float64, shape (C,)."""
        ids_1T = torch.tensor([answer["input_ids"]], device=trainer.model.device)
        said_C = torch.tensor(answer["said_ids"], device=ids_1T.device)
        text = {name: torch.zeros_like(ids_1T) for name in trainer.zeros}
        logits_TV = model(input_ids=ids_1T, use_cache=False, **text).logits[0]
        logits_CV = logits_TV[-len(said_C) - 1 : -1].double() / self.choices.temperature
        return logits_CV.log_softmax(dim=1).gather(1, said_C[:, None])[:, 0]

    def check_seen(self, trainer: Any, inputs: FitInputs) -> dict[str, Any]:
        """Every token that was learned from was drawn, and every answer's own end was learned."""
        lines = inputs.run.file("metrics.jsonl").read_text(encoding="utf-8").splitlines()
        steps: list[Mapping[str, Any]] = [json.loads(line) for line in lines]
        drawn = int(sum(step["answer_tokens"] for step in steps))
        stopped = int(sum(step["stopped"] for step in steps))
        seen = {stop: trainer.supervised[stop] for stop in self.drawing.stop_ids}
        learned = trainer.supervised.total()
        if learned != drawn or sum(seen.values()) != stopped:
            what = _(
                "{drawn} tokens and {stopped} ends were drawn; {learned} and {ends} were learned"
            )
            found = {"drawn": drawn, "stopped": stopped, "learned": learned}
            raise proof.refuse("train.mask", what.format(ends=sum(seen.values()), **found))
        if all(step["groups_alike"] == 1 for step in steps):
            what = _("in no group of answers did the rewards differ, so that nothing was learned")
            fix = _("begin from a model that gets some right, or give `credit: share`")
            raise proof.refuse("train.rewards", what, fix)
        ends = {str(stop): count for stop, count in seen.items()}
        return {"supervised_tokens": learned, "stops": ends, "answers": _answers(steps)}


def _answers(steps: Sequence[Mapping[str, Any]]) -> int:
    return int(sum(step["answers"] for step in steps))
