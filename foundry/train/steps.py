"""What all trainers share: a batch of the data loader is all rows of one optimizer step.

The rows go through the model in micro-batches. Every sum is divided by the items of the whole step,
not of the micro-batch (C13): supervised tokens where each has its own loss, examples where one loss
is of a whole answer. What was learned from is counted, and held against the shards in the end.
"""

import math
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from foundry.core.errors import DataError, Problem, ProofError
from foundry.core.language import gettext as _
from foundry.core.records import EncodedRow
from foundry.encode.tokenize import IGNORED
from foundry.models.language_part import token_type_inputs
from foundry.train.adapter_files import check_loaded, own_names, without_update
from foundry.train.batches.arrange import Arrangement
from foundry.train.losses.head import Head
from foundry.train.processes import sharding, zero
from foundry.train.processes.crew import ALONE, Crew, own_part

SUM_TOLERANCE = 1e-5  # of the same float32 numbers, added in another order
BASE_FACTORS = ("ia3_l.", "lora_magnitude_vector.")  # PEFT's names of what multiplies the base


Row = Mapping[str, Any]
Batch = dict[str, Any]


def entry(row: EncodedRow) -> dict[str, Any]:
    """What the data loader holds of a row: what its dataset type has, and no more."""
    found = {"id": row.id, "input_ids": list(row.input_ids), "labels": list(row.labels)}
    if row.rejected_input_ids:
        found["rejected_input_ids"] = list(row.rejected_input_ids)
        found["rejected_labels"] = list(row.rejected_labels)
    if row.margin is not None:
        found["margin"] = row.margin
    return found if row.label is None else {**found, "label": row.label}


def tokens_of(row: Row) -> int:
    """What a row costs: its tokens, on both sides of a preference."""
    return len(row["input_ids"]) + len(row.get("rejected_input_ids", ()))


class StepTrainer:
    """Mixed in before a trainer of TRL's; its batches are `{"rows": [...]}`.

    A subclass says what a step's items are (`items`), cuts rows into micro-batches
    (`micro_batches`) and sums the losses of one (`summed_loss`).
    """

    # Otherwise the Trainer (transformers 5.24) divides the loss by the micro-batches; ours is
    # divided by the items of the whole step already (C13).
    loss_is_scaled_for_ga = True
    args: Any
    model: Any
    state: Any
    optimizer: Any

    def __init__(
        self,
        *args: Any,
        arrangement: Arrangement,
        head: Head | None = None,
        crew: Crew = ALONE,
        **kwargs: Any,
    ) -> None:
        with precision_kept(kwargs["model"]):
            super().__init__(*args, **kwargs)
        self.arrangement, self.head, self.crew = arrangement, head, crew
        self.engine: Any = None  # DeepSpeed's, where it shares the optimizer
        self.zeros = token_type_inputs(without_update(self.model))
        self.passed: list[dict[str, Any]] = []  # in this process and step
        self.step_loss = 0.0
        self.step_items = 0
        self.step_divisors: set[float] = set()
        self.began = time.monotonic()
        self.seconds_before = 0.0  # of earlier starts, up to the checkpoint that it went on from
        self.tokens = 0
        self.supervised: Counter[int] = Counter()
        self.seen_rows: list[str] = []
        self.step_rows: list[str] = []
        self.last_rows: list[str] = []

    @property
    def seconds(self) -> float:
        """What the steps so far took, those of earlier starts included."""
        return self.seconds_before + time.monotonic() - self.began

    def items(self, rows: Sequence[Row]) -> int:
        """What the losses of a step's rows are divided by."""
        raise NotImplementedError

    def micro_batches(self, rows: Sequence[Row]) -> list[Batch]:
        """The rows of a step as they go through the model.

        Each has `row_ids`, `labels` (those learned from, `IGNORED` elsewhere), `tokens` and, where
        an item is not a supervised token, `items`.
        """
        raise NotImplementedError

    def before_step(self, model: Any, batches: Sequence[Batch], rows: Sequence[Row]) -> None:
        """Find out what the loss of one micro-batch needs to know of all; nothing by default.

        Args:
            model: Whose loss it is.
            batches: The micro-batches of this process.
            rows: All rows of the step, the same in each process; all must call.
        """

    def summed_loss(self, model: Any, inputs: Batch) -> torch.Tensor:
        """The sum of the losses of a micro-batch's items, a float32 scalar with a gradient."""
        raise NotImplementedError

    def step_metrics(self) -> dict[str, float]:
        """What else to record of the step that ends, by name; begins the count of the next."""
        return {}

    def training_step(
        self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None
    ) -> torch.Tensor:
        """Take the gradients of a whole optimizer step; its loss, the mean over its items."""
        rows = inputs["rows"]
        items = self.items(rows)
        loss = torch.zeros((), device=self.args.device)
        batches = self.shared(rows)
        self.before_step(model, batches, rows)
        with self.crew.own_noise(self.args.seed, self.state.global_step):
            if self.engine is not None:
                loss = zero.gradients(self, batches, items)
            else:
                for micro_batch in batches:
                    loss += super().training_step(model, micro_batch, items)  # type: ignore[misc]
                self.crew.add_up(self.model.parameters())
        said = self.crew.heard([float(loss), self.passed])
        self.passed = []
        for _loss, passes in said:
            for one in passes:
                self._add(one)
        return loss if len(said) == 1 else loss.new_tensor(sum(one for one, _passes in said))

    def shared(self, rows: Sequence[Row]) -> list[Batch]:
        """The micro-batches of this process, of rows that all processes share.

        Where they pass on parts of the model or of its gradients, all go through it as often; who
        has nothing left to do goes through it with rows that count for nothing (`idle`).
        """
        shares = self.crew.shares(rows, [tokens_of(row) for row in rows])
        if not self.crew.passes_as_often:
            return self.micro_batches(shares[self.crew.rank])
        passes = [self.micro_batches(share) if share else [] for share in shares]
        own, most = passes[self.crew.rank], max(map(len, passes))
        idle = {**self.micro_batches(rows[:1])[0], "idle": True}
        return [*own, *[idle] * (most - len(own))]

    def get_decay_parameter_names(self, model: Any) -> list[str]:
        """What `weight_decay` pulls towards zero: not factors of the base's own layers.

        Those of IA3 rest at 1 and DoRA's at the length of the weights, so that decay would shrink
        the base and not the update.
        """
        names = super().get_decay_parameter_names(model)  # type: ignore[misc]
        return [name for name in names if not any(part in name for part in BASE_FACTORS)]

    def create_optimizer(self, *given: Any) -> Any:
        """The optimizer; DeepSpeed takes it over where it is to be shared out.

        Groups without a tensor, which DeepSpeed leaves out, would make checkpoints differ.
        """
        super().create_optimizer(*given)  # type: ignore[misc]
        groups = self.optimizer.param_groups
        groups[:] = [group for group in groups if group["params"]]
        if self.crew.shares_optimizer and self.engine is None:
            self.engine = zero.begin(self)
            self.optimizer = zero.taken_over(self.engine)
        return self.optimizer

    def _clip_grad_norm(self, model: Any) -> Any:
        if self.engine is not None:  # which has clipped
            return zero.norm(self.engine)
        return super()._clip_grad_norm(model)  # type: ignore[misc]

    def gradients_are_finite(self) -> bool:
        """Whether those of the step are, of all that trains."""
        if self.engine is not None:
            return math.isfinite(zero.norm(self.engine))
        grads = [p.grad for p in self.model.parameters() if p.grad is not None]
        return bool(torch.isfinite(torch.stack([own_part(g).norm() for g in grads])).all())

    def optimized(self) -> list[torch.Tensor]:
        """The parameters that the optimizer moves."""
        if self.engine is not None:
            return zero.trained(self.engine)
        return [p for group in self.optimizer.param_groups for p in group["params"]]

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        if self.crew.is_sharded or self.engine is not None:
            name = f"checkpoint-{self.state.global_step}"
            sharding.save(self, Path(self.args.output_dir) / name)
        elif self.crew.is_first:
            with own_names(self.model):
                super()._save_checkpoint(model, trial)  # type: ignore[misc]

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        path = Path(resume_from_checkpoint)
        if sharding.is_sharded(path):
            sharding.load_weights(self, path)
        else:
            super()._load_from_checkpoint(resume_from_checkpoint, model)  # type: ignore[misc]

    def _issue_warnings_after_load(self, load_result: Any) -> None:
        """Refuse weights that are not this model's, of which the Trainer only warns."""
        check_loaded(self.model, load_result.missing_keys, load_result.unexpected_keys)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is not None and sharding.is_sharded(Path(checkpoint)):
            sharding.load_state(self, Path(checkpoint))
        else:
            super()._load_optimizer_and_scheduler(checkpoint)  # type: ignore[misc]

    def compute_loss(
        self,
        model: Any,
        inputs: Batch,
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """Sum of a micro-batch's losses over `num_items_in_batch`, the items of the whole step."""
        is_idle = inputs.pop("idle", False)
        loss = self.summed_loss(model, inputs) / num_items_in_batch
        if is_idle:
            return 0 * loss
        if self.model.training:
            self._count(inputs, loss, float(num_items_in_batch))
        return loss

    def end_step(self, reported: float) -> float:
        """The loss of the step that ends, the mean over its items; begins the count of the next.

        Args:
            reported: The sum of what the Trainer took gradients of in this step.

        Raises:
            ProofError: The sums of its micro-batches were not divided by the items of all of
                them, or were scaled once more before the gradient was taken (C13).
        """
        if self.step_divisors != {self.step_items}:
            what = _("the loss of a step of {items} items was divided by {found}")
            found = ", ".join(f"{n:g}" for n in sorted(self.step_divisors))
            raise ProofError(Problem("train.loss", what.format(items=self.step_items, found=found)))
        loss = self.step_loss
        if abs(reported - loss) > SUM_TOLERANCE * max(1.0, abs(loss)):
            what = _("gradients were taken of {reported:.6f}, the loss of the step is {loss:.6f}")
            raise ProofError(Problem("train.loss", what.format(reported=reported, loss=loss)))
        self.last_rows = self.step_rows
        self.step_loss, self.step_items, self.step_divisors, self.step_rows = 0.0, 0, set(), []
        return loss

    def _count(self, inputs: Batch, loss: torch.Tensor, divisor: float) -> None:
        value = float(loss.detach())
        rows = list(inputs["row_ids"])
        if value != value or value in (float("inf"), float("-inf")):
            raise DataError(non_finite(_("loss"), self.state.global_step + 1, rows))
        supervised = inputs["labels"][inputs["labels"] != IGNORED].tolist()
        self.passed.append(
            {
                "loss": value,
                "divisor": divisor,
                "tokens": inputs["tokens"],
                "supervised": list(Counter(supervised).items()),
                "items": inputs.get("items", len(supervised)),
                "rows": rows,
            }
        )

    def _add(self, passed: Mapping[str, Any]) -> None:
        """Count what went through in any process."""
        self.step_loss += passed["loss"]
        self.tokens += passed["tokens"]
        self.supervised.update(dict(passed["supervised"]))
        self.step_items += passed["items"]
        self.step_divisors.add(passed["divisor"])
        self.seen_rows += passed["rows"]
        self.step_rows += passed["rows"]


@contextmanager
def precision_kept(model: Any) -> Iterator[None]:
    """Inside, what trains may be cast; at the end it has the numbers that it had.

    TRL 1.16 casts the update of a quantised base to bfloat16 (engines.md 3, C23).
    """
    before = {parameter: parameter.data for parameter in model.parameters()}
    yield
    for parameter, data in before.items():
        if parameter.requires_grad and parameter.dtype != data.dtype:
            parameter.data = data.to(parameter.device)


def non_finite(name: str, step: int, rows: list[str]) -> Problem:
    """The problem of a loss or gradient that is NaN or infinite (C23)."""
    what = _("the {name} is not finite at step {step} (rows {rows})")
    return Problem(
        "train",
        what.format(name=name, step=step, rows=", ".join(rows)),
        _("lower `train.learning_rate`, or look at the rows named"),
    )
