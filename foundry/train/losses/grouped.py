"""GRPO: draw a group of answers to each question of a step, and learn from how they compare.

A batch of the data loader is the questions of one optimizer step. TRL's `GRPOTrainer` has the
answers drawn, asks for their rewards and turns them into advantages; its loss is taken, one
micro-batch of answers at a time, and divided by the items of the whole step. Ours are the prompts'
ids, the drawing, which several processes share group by group (`noise.py`), the ids that end an
answer, the rewards, and the check of every number by hand before the first step. Each process
knows all answers of a step, and takes the gradients of its share.
Sources: Shao et al. (2024), "DeepSeekMath", section 4.1, https://arxiv.org/abs/2402.03300; Yu et
al. (2025), "DAPO", https://arxiv.org/abs/2503.14476; Liu et al. (2025), "Understanding
R1-Zero-Like Training" (Dr. GRPO), https://arxiv.org/abs/2503.20783; TRL 1.16,
`trl/trainer/grpo_trainer.py:2324` (advantages) and `:3020` (loss).
"""

# A answers of a step, B of a micro-batch, P and C tokens of the longest prompt and answer

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from transformers import LogitsProcessorList, Trainer
from trl import GRPOTrainer
from trl.models.utils import unwrap_model_for_generation

from foundry.encode.tokenize import IGNORED
from foundry.train.batches.arrange import arrange
from foundry.train.losses.asking import Asked
from foundry.train.losses.noise import OwnNoise, seeds_of
from foundry.train.losses.reference import Reference
from foundry.train.losses.rewarding import Reward, Said, total
from foundry.train.losses.worth import told
from foundry.train.steps import Batch, Row, StepTrainer

Loss = Literal["dapo", "grpo", "dr-grpo"]


@dataclass(frozen=True)
class Drawing:
    """What a `GroupTrainer` is given besides what every trainer has.

    In the context `reference` the model is what it was; None where `beta` is 0 and none is asked.
    """

    asked: Mapping[str, Asked]
    rewards: Sequence[Reward]
    stop_ids: tuple[int, ...]
    beta: float
    reference: Reference | None = None


class GroupTrainer(StepTrainer, GRPOTrainer):  # type: ignore[misc]
    """A `GRPOTrainer` whose batches are `{"rows": [...]}`, the questions of a step.

    An item is a token of an answer where the loss is `dapo`, else an answer.
    """

    def __init__(self, *args: Any, drawing: Drawing, data_collator: Any, **kwargs: Any) -> None:
        self.drawing = drawing
        self.drawn: dict[str, float] = {}
        self.sums: dict[str, float] = {}
        functions = [self._function(reward) for reward in drawing.rewards]
        super().__init__(*args, reward_funcs=functions, **kwargs)
        self.data_collator = data_collator
        self.args.steps_per_generation = 1  # each step draws its own answers, see `settings`
        self.eos_token_ids = list(drawing.stop_ids)
        # The likeliest token is taken after noise was added, see `OwnNoise`.
        own = {"eos_token_id": self.eos_token_ids, "do_sample": False}
        own |= dict.fromkeys(("temperature", "top_p", "top_k"))
        self.generation_config.update(**own)
        self.generation_kwargs |= own
        self.beta = 0.0  # but in the loss: what the reference says is found out here, not by TRL

    def get_train_dataloader(self) -> Any:
        """One batch is the questions of one step; TRL's would repeat each for its answers."""
        return Trainer.get_train_dataloader(self)

    def _get_train_sampler(self, *args: Any, **kwargs: Any) -> Any:
        return Trainer._get_train_sampler(self, *args, **kwargs)

    def _prepare_inputs(self, inputs: Any) -> Any:
        """Micro-batches are of answers already; TRL's own would draw them here."""
        return Trainer._prepare_inputs(self, inputs)

    def _tokenize_prompts(self, prompts: list[str]) -> tuple[list[list[int]], None, dict[str, Any]]:
        """The prompts are names of rows; their ids are our renderer's (engines.md 4)."""
        return [list(self.drawing.asked[name].prompt_ids) for name in prompts], None, {}

    def _generate_single_turn(
        self, prompt_ids: list[list[int]], *_given: Any, **_named: Any
    ) -> tuple[list[list[int]], None]:
        """An answer to each prompt, where a group of them is one question; all must call.

        Each process draws its share of the groups and hears the others'.
        """
        size = self.num_generations
        prompts = prompt_ids[::size]
        costs = [len(ids) + self.max_completion_length for ids in prompts]
        own = self.crew.shares([*range(len(prompts))], costs)[self.crew.rank]
        said = self._said([prompts[number] for number in own], own) if own else []
        groups = [(number, said[n * size : (n + 1) * size]) for n, number in enumerate(own)]
        found = [pair for heard in self.crew.heard(groups) for pair in heard]
        return [ids for _number, group in sorted(found) for ids in group], None

    @torch.no_grad()
    def _said(self, prompts: Sequence[list[int]], numbers: Sequence[int]) -> list[list[int]]:
        """A group of answers to each prompt, question by question; with its end where it has one.

        Args:
            prompts: Ids of each question.
            numbers: Of the questions in the step.
        """
        size, device = self.num_generations, self.args.device
        filled = on_left([ids for ids in prompts for _one in range(size)], self._pad)
        ids_AP, mask_AP = (torch.tensor(each, device=device) for each in filled)
        seeds = seeds_of(self.args.seed, self.state.global_step, numbers)
        noise = OwnNoise(seeds, size, self.temperature, device)
        named = {"generation_kwargs": self.generation_kwargs}
        with unwrap_model_for_generation(self.model_wrapped, self.accelerator, **named) as model:
            made = model.generate(
                input_ids=ids_AP,
                attention_mask=mask_AP,
                **self._all_text(ids_AP),
                generation_config=self.generation_config,
                logits_processor=LogitsProcessorList([noise]),
            )
        drawn = made[:, ids_AP.shape[1] :].tolist()
        return [until_its_end(ids, self.drawing.stop_ids) for ids in drawn]

    def _function(self, reward: Reward) -> Any:
        """A reward as TRL calls one; NaN stands for one that does not apply."""

        def worth(
            prompts: list[str], completion_ids: list[list[int]], **_others: Any
        ) -> list[float | None]:
            pairs = zip(prompts, completion_ids, strict=True)
            return [
                reward.of(self.drawing.asked[name].example, self.said(ids)) for name, ids in pairs
            ]

        worth.__name__ = reward.kind
        return worth

    def said(self, ids: Sequence[int]) -> Said:
        """What was drawn as text, as a runtime gives it: without its end and without controls."""
        stopped = bool(ids) and ids[-1] in self.drawing.stop_ids
        body = ids[:-1] if stopped else ids
        text = self.processing_class.decode(body, skip_special_tokens=True)
        return Said(text, len(ids), stopped)

    def training_step(
        self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None
    ) -> torch.Tensor:
        """Draw the step's answers, then take the gradients of all of them.

        Called by the Trainer with questions, and by `StepTrainer` with a micro-batch of answers.
        """
        if "rows" not in inputs:
            return GRPOTrainer.training_step(self, model, inputs, num_items_in_batch)
        seen = len(self.seen_rows)
        answers = self.draw([row["id"] for row in inputs["rows"]])
        names = {one.kind: f"rewards/{one.kind}/mean" for one in self.drawing.rewards}
        size = self.num_generations
        groups = [answers[begin : begin + size] for begin in range(0, len(answers), size)]
        self.drawn = told(groups, self._metrics["train"], names, self.drawing.stop_ids)
        loss = super().training_step(model, {"rows": answers})
        # An epoch is every question once, not every answer.
        self.seen_rows[seen:] = [row["id"] for row in inputs["rows"]]
        return loss

    def draw(self, names: Sequence[str]) -> list[Row]:
        """A group of answers to each question, with what each is worth beside its group."""
        asked = [{"prompt": name} for name in names for _one in range(self.num_generations)]
        made = self._generate_and_score_completions(asked)
        answers: list[Row] = []
        for number, one in enumerate(asked):
            prompt = made["prompt_ids"][number][made["prompt_mask"][number].bool()].tolist()
            mask_C = made["completion_mask"][number].bool()
            said = made["completion_ids"][number][mask_C].tolist()
            answer = {"id": one["prompt"], "prompt_ids": prompt, "said_ids": said}
            answer |= {"input_ids": [*prompt, *said], "advantage": made["advantages"][number]}
            example = self.drawing.asked[one["prompt"]].example
            answer["worth"] = total(self.drawing.rewards, example, self.said(said))
            answers.append(answer)
        return answers

    def before_step(self, model: Any, batches: Sequence[Batch], rows: Sequence[Row]) -> None:
        """The log-probabilities that the model as it was gives the answers of the micro-batches."""
        if self.drawing.reference is None:
            return
        with torch.no_grad(), self.drawing.reference():
            for batch in batches:
                batch["ref_per_token_logps"] = self.scored(batch)

    def scored(self, batch: Batch) -> torch.Tensor:
        """Log-probabilities of a micro-batch's answers by TRL's head, in nats, shape (B, C)."""
        ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1)
        mask = torch.cat([batch["prompt_mask"], batch["completion_mask"]], dim=1)
        count = batch["completion_ids"].shape[1]
        logps_BC: torch.Tensor = self._get_per_token_logps_and_entropies(
            self.model, ids, mask, count, **self._all_text(ids)
        )[0]
        return logps_BC

    def items(self, rows: Sequence[Row]) -> int:
        """Tokens of the answers, or answers."""
        return sum(len(row["said_ids"]) for row in rows) if self._by_token else len(rows)

    def micro_batches(self, rows: Sequence[Row]) -> list[Batch]:
        """Answers of like length side by side, prompts filled up on the left as TRL has them."""
        groups = arrange([len(row["input_ids"]) for row in rows], self.arrangement)
        return [self.side_by_side([rows[n] for n in group]) for group in groups]

    def side_by_side(self, rows: Sequence[Row]) -> Batch:
        """Some answers as one batch."""
        device = self.args.device
        prompts, said = ([row[key] for row in rows] for key in ("prompt_ids", "said_ids"))
        longest_C = max(map(len, said))
        on_right = [[1] * len(ids) + [0] * (longest_C - len(ids)) for ids in said]
        prompt_ids, prompt_mask = on_left(prompts, self._pad)
        made = {
            "prompt_ids": prompt_ids,
            "prompt_mask": prompt_mask,
            "completion_ids": [ids + [self._pad] * (longest_C - len(ids)) for ids in said],
            "completion_mask": on_right,
            "labels": [ids + [IGNORED] * (longest_C - len(ids)) for ids in said],
        }
        batch: Batch = {name: torch.tensor(ids, device=device) for name, ids in made.items()}
        batch["advantages"] = torch.stack([row["advantage"] for row in rows])
        batch["num_items_in_batch"] = torch.tensor(1.0, device=device)  # `dapo` gives a sum then
        batch |= self._all_text(torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1))
        batch |= {"row_ids": [row["id"] for row in rows]}
        batch["tokens"] = sum(len(row["input_ids"]) for row in rows)
        if not self._by_token:
            batch["items"] = len(rows)
        return batch

    def summed_loss(self, model: Any, inputs: Batch) -> torch.Tensor:
        """TRL's loss of a micro-batch as a sum: of tokens, or of the means of its answers."""
        self.beta = self.drawing.beta
        loss: torch.Tensor = GRPOTrainer._compute_loss(self, model, inputs)
        self.beta = 0.0
        self._add_up(int(inputs["completion_mask"].sum()))
        return loss if self._by_token else loss * len(inputs["row_ids"])

    def step_metrics(self) -> dict[str, float]:
        """The rewards of the step's answers and how they spread, see `told`.

        `kl` and `entropy` are in nats, the mean over all tokens drawn; all must call.
        """
        said, self.sums = self.crew.heard(self.sums), {}
        tokens = self.drawn["answer_tokens"]
        names = dict.fromkeys(name for one in said for name in one)
        return {**self.drawn, **{n: sum(one.get(n, 0.0) for one in said) / tokens for n in names}}

    def _add_up(self, tokens: int) -> None:
        """Count what TRL has just noted of a micro-batch, a mean over its tokens."""
        for name in ("kl", "entropy") if self.model.training else ():
            if noted := self._metrics["train"][name]:
                self.sums[name] = self.sums.get(name, 0.0) + noted[-1] * tokens

    def _all_text(self, ids: torch.Tensor) -> dict[str, torch.Tensor]:
        """The further inputs of a class that also sees: 0 at each token, see `token_type_inputs`.

        TRL's loss takes them from the batch by the same names.
        """
        return {name: torch.zeros_like(ids) for name in self.zeros}

    @property
    def _pad(self) -> int:
        return int(self._tokenizer.pad_token_id)

    @property
    def _by_token(self) -> bool:
        return bool(self.loss_type == "dapo")


def on_left(prompts: Sequence[list[int]], pad: int) -> tuple[list[list[int]], list[list[int]]]:
    """Prompts filled up on the left to the longest, and masks that are 1 at their own tokens."""
    longest = max(map(len, prompts))
    filled = [[pad] * (longest - len(ids)) + ids for ids in prompts]
    return filled, [[0] * (longest - len(ids)) + [1] * len(ids) for ids in prompts]


def until_its_end(ids: list[int], stop_ids: Sequence[int]) -> list[int]:
    """An answer without what fills up after its end, beside longer ones."""
    ends = (place for place, one in enumerate(ids, start=1) if one in stop_ids)
    return ids[: next(ends, len(ids))]
