"""What is asked of a machine: which weights are trained, how, on how many tokens."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from foundry.core.load import LoadedRecipe
from foundry.models.place import place_of
from foundry.models.shape import Linear, Shape
from foundry.planning.estimate.rows import Rows
from foundry.planning.estimate.spread import Spread, exactly
from foundry.planning.hardware import THIS_MACHINE, Device
from foundry.planning.processes import DEEPSPEED, FSDP2, SINGLE, planned
from foundry.planning.shapes import KnownShape
from foundry.planning.shapes import known as known_by_name
from foundry.train.adapter_files import MOVING
from foundry.train.gives import gives_reward
from foundry.train.trial import is_worthwhile

# Tokens in one forward pass where the recipe leaves it open. On a CPU of two cores twice as many
# gain 1 to 7 % on SmolLM2-135M, lose 17 % on Gemma-3-270m, and take a third more memory
# (shared/performance.md); on a GPU 4,096 is what the figures of others are of.
PACK_TOKENS = {"cpu": 512, "cuda": 4096}
FULL, QLORA = "full", "qlora"
EIGHT_BIT = "adamw-8bit"


@dataclass(frozen=True)
class Job:
    """One training, with nothing open.

    Attributes:
        shape: Of the base model.
        is_guessed: Whether the shape is a typical one of as many parameters.
        adapter: The kind; `full` trains every weight.
        rank: Of the update; 0 where there is none.
        targets: Names of the layers that get an update; None means every linear layer.
        dtype: What matrix products are computed in.
        weights: What the base's weights are kept in, see `models.place`.
        steps: Optimizer steps.
        global_batch_size: Rows in a step.
        pack_tokens: Positions at most in a forward pass.
        micro_batch_size: Rows at most in a forward pass.
        rows: Lengths and numbers of the rows.
        checkpoints: How many checkpoints stay at most.
        exports: Kinds of the exports.
        last_layers: How many layers train where not all of them do.
        in_a_layer: Numbers of the update in one decoder layer; LoRA's where None.
        held_matrices: Float32 copies of a layer's weights that a pass holds for the gradient.
        sides: Answers of a row, each with the prompt before it; `rows` counts all of a row.
        reference_passes: Forward passes of a row besides, through the model before training.
        copies_reference: Whether what trains is held a second time, as it was.
        experimental: Where in TRL the trainer lies, if TRL calls it experimental.
        processes: How many share the rows of a step; each has a GPU of its own, or its share of a
            computer's memory and cores.
        strategy: How they share the model, see `core.compute`.
        teacher: Shape of a frozen model that reads every row too; None where there is none.
        drawn_tokens: Tokens at most of an answer that the model draws; 0 where it draws none.
        says_reward: Whether the head says one number of a whole side, and no next token.
        dropout: Whether an update drops some of what it reads.
        stray_row: Tokens of a row that is longer than those that were looked at; 0 where none is.
        tried_pack: The largest pack that is tried before the first step; 0 where none is.
        measured: How often the loss on the rows held for it is measured, where there are any.
        may_round: Whether products may turn out to be in half precision, which is tried first.
    """

    shape: Shape
    is_guessed: bool
    adapter: str
    rank: int
    targets: tuple[str, ...] | None
    dtype: str
    weights: str
    optimizer: str
    gradient_checkpointing: bool
    steps: int
    global_batch_size: int
    micro_batch_size: int
    pack_tokens: int
    rows: Rows
    checkpoints: int = 2
    exports: tuple[str, ...] = ()
    last_layers: int | None = None
    in_a_layer: int | None = None
    held_matrices: int = 0
    sides: int = 1
    reference_passes: int = 0
    copies_reference: bool = False
    experimental: str | None = None
    processes: int = 1
    strategy: str = SINGLE
    teacher: Shape | None = None
    drawn_tokens: int = 0
    says_reward: bool = False
    dropout: bool = False
    measured: int = 0
    tried_pack: int = 0
    stray_row: int = 0
    may_round: bool = False

    @property
    def is_sharded(self) -> bool:
        """Whether each process holds a part of the model."""
        return self.strategy == FSDP2

    @property
    def moved_here(self) -> float:
        """The trained numbers whose gradients and moments one process keeps.

        With `fsdp2` what lies outside of the layers is whole in each (`held_weight_bytes`).
        """
        if self.strategy not in (FSDP2, DEEPSPEED):
            return self.trained_weights
        outside = 0
        if self.is_sharded and self.is_full and self.last_layers is None:
            outside = self.shape.embedding_weights + self.shape.other_parameters
        return outside + (self.trained_weights - outside) / self.processes

    @property
    def is_full(self) -> bool:
        """Whether the base's own weights are trained."""
        return self.adapter == FULL

    @property
    def reached_layers(self) -> int:
        """The decoder layers that a gradient passes.

        Where activations are computed twice those are all: transformers 5.24 then asks for the
        gradient of the embeddings (`activation_checkpointing_enable`).
        """
        if self.last_layers is None or self.gradient_checkpointing:
            return self.shape.layers
        return self.last_layers

    @property
    def reached(self) -> float:
        """Their share of all."""
        return self.reached_layers / self.shape.layers

    @property
    def adapted(self) -> list[Linear]:
        """The layers of one decoder layer that get an update."""
        if self.is_full:
            return []
        return [
            one
            for one in self.shape.linears()
            if one.copies == 1 and (self.targets is None or one.name in self.targets)
        ]

    @property
    def update_weights(self) -> int:
        """Numbers of the update: of LoRA, rank x (inputs + outputs) for each adapted layer."""
        of_lora = sum(self.rank * (one.inputs + one.outputs) for one in self.adapted)
        return self.shape.layers * (of_lora if self.in_a_layer is None else self.in_a_layer)

    @property
    def trained_weights(self) -> int:
        """Numbers that the optimizer changes."""
        head = self.shape.hidden if self.says_reward else 0
        if not self.is_full:
            return self.update_weights + head
        if self.last_layers is None:
            return self.shape.parameters + head
        of_layers = self.shape.linear_weights + self.shape.norm_weights
        return of_layers * self.last_layers // self.shape.layers + head

    @property
    def step_tokens(self) -> float:
        """Tokens of a step, expected."""
        return self.global_batch_size * self.rows.tokens.expected

    @property
    def step_supervised(self) -> float:
        """Supervised tokens of a step, expected."""
        return self.global_batch_size * self.rows.supervised.expected

    @property
    def held_in_a_step(self) -> float:
        """Rows that the loss is measured on over rows that are learned."""
        return self.rows.held * self.measured / max(1, self.steps * self.global_batch_size)

    @property
    def passes(self) -> float:
        """Forward passes of a step in one process, expected."""
        by_rows = self.global_batch_size / self.micro_batch_size
        by_tokens = self.step_tokens / self.largest_pass
        return max(1.0, max(by_rows, by_tokens) / self.processes)

    @property
    def largest_pass(self) -> int:
        """Positions of the largest forward pass: a full pack, or a longer row alone."""
        longest, more = self.rows.longest, max(0, self.stray_row - self.rows.longest)
        all_rows = math.ceil(self.global_batch_size / self.processes) * longest + more
        by_rows = self.micro_batch_size * longest + more
        return max(min(self.pack_tokens, all_rows, by_rows), longest + more)

    @property
    def largest_supervised(self) -> int:
        """Supervised positions of the largest forward pass, expected; of rewards, its sides."""
        if self.says_reward:
            return self.sides * min(self.micro_batch_size, self.global_batch_size)
        share = self.rows.supervised.expected / self.rows.tokens.expected
        return max(1, round(self.largest_pass * share))


def job_of(loaded: LoadedRecipe, known: KnownShape, rows: Rows, device: Device) -> Job:
    """What a recipe asks of a device; `auto` as the device has it."""
    from foundry.core import plugins

    recipe = loaded.recipe
    train, adapter = recipe.train.spec.model_dump(), recipe.adapter.spec.model_dump()
    targets = adapter.get("target_modules", "all-linear")
    trainer = plugins.load("trainer", recipe.train.kind)
    places = rows.places or _places(loaded, rows)
    rows = _drawn(rows, train)
    in_a_place = rows.count / places
    in_a_step = round(train["global_batch_size"] * in_a_place) * train.get("group_size", 1)
    in_a_pass = _settled(train, "micro_batch_size", train["global_batch_size"])
    dtype = _settled(train, "dtype", device.number_type)
    kind = plugins.load("adapter", recipe.adapter.kind)
    passes = plugins.optional(trainer, "REFERENCE_PASSES") or 0
    if train.get("max_new_tokens") and train.get("beta"):  # of what is drawn
        passes = 1
    is_copied = kind.TRAINS == "weights" or recipe.adapter.kind in MOVING
    size, strategy = planned(loaded, is_this_machine=device.name == THIS_MACHINE)
    says_reward = gives_reward(recipe.train.kind)
    steps = trainer.steps_for(recipe.train.spec, places)
    made = Job(
        shape=_without_head(known.shape) if says_reward else known.shape,
        is_guessed=known.is_guessed,
        adapter=recipe.adapter.kind,
        rank=adapter.get("rank", 0),
        targets=None if isinstance(targets, str) else tuple(targets),
        dtype=dtype,
        weights=place_of({"device": device.backend, "dtype": dtype}, kind.TRAINS).weights,
        optimizer=_settled(train, "optimizer", "adamw"),
        gradient_checkpointing=_settled(train, "gradient_checkpointing", False),
        steps=steps,
        global_batch_size=in_a_step,
        micro_batch_size=round(in_a_pass * in_a_place),
        pack_tokens=_settled(train, "pack_tokens", PACK_TOKENS[device.backend]),
        rows=rows,
        checkpoints=train.get("keep_checkpoints", 2) + bool(train.get("best_by")),
        exports=tuple(block.kind for block in recipe.exports),
        last_layers=adapter.get("last_layers"),
        held_matrices=getattr(kind, "HELD_MATRICES", 0),
        sides=plugins.optional(trainer, "SIDES") or 1,
        reference_passes=passes,
        copies_reference=passes > 0 and is_copied,
        experimental=plugins.optional(trainer, "EXPERIMENTAL"),
        processes=size,
        strategy=strategy,
        teacher=_teacher(loaded, train),
        drawn_tokens=train.get("max_new_tokens", 0),
        says_reward=says_reward,
        dropout=bool(adapter.get("dropout")),
        measured=math.ceil(steps / (train["evaluate_every"] or train["checkpoint_every"])),
        may_round=device.backend == "cpu" and _tries_half(train, steps),
    )
    if made.is_full:
        return made
    spec = recipe.adapter.spec
    counts = (kind.numbers(one.inputs, one.outputs, spec) for one in made.adapted)
    return replace(made, in_a_layer=sum(counts))


def _teacher(loaded: LoadedRecipe, train: Mapping[str, Any]) -> Shape | None:
    name = train.get("teacher")
    return None if name is None else known_by_name(name, loaded.path.parent).shape


def _drawn(rows: Rows, train: Mapping[str, Any]) -> Rows:
    """The rows with answers that the model draws: as long as those of the data, up to the limit."""
    most = train.get("max_new_tokens")
    if most is None:
        return rows
    given = rows.supervised.expected
    drawn = Spread(min(given, most), (min(given, most) + most) / 2, most)
    asked = max(1.0, rows.tokens.expected - given)
    tokens = exactly(asked).plus(drawn)
    longer = {"longest": rows.longest + most, "most": rows.most + most if rows.most else 0}
    return replace(rows, tokens=tokens, supervised=drawn, **longer)


def _places(loaded: LoadedRecipe, rows: Rows) -> int:
    """How many places of a batch the rows take: fewer than there are rows, where they share one."""
    from foundry.core import plugins

    limit = loaded.recipe.encode.max_seq_len
    lengths = [min(limit, max(1, round(rows.tokens.expected)))] * rows.count
    return len(
        plugins.load("trainer", loaded.recipe.train.kind).sequences(lengths, max_seq_len=limit)
    )


def open_settings(loaded: LoadedRecipe) -> set[str]:
    """Keys of the `train` block that the recipe leaves to the machine."""
    train = loaded.recipe.train.spec.model_dump()
    return {key for key, value in train.items() if value == "auto"}


def with_settings(job: Job, **settings: Any) -> Job:
    """The job with other settings."""
    return replace(job, **settings)


def _without_head(shape: Shape) -> Shape:
    """Of a reward model: the base's own head is not there, and one that is tied takes nothing."""
    return shape.model_copy(update={"tied_head": True})


def _tries_half(train: Mapping[str, Any], steps: int) -> bool:
    return train["dtype"] == "auto" and is_worthwhile(steps, train["deterministic"])


def _settled(values: Mapping[str, Any], key: str, automatic: Any) -> Any:
    found = values.get(key, "auto")
    return automatic if found == "auto" else found
