"""Bytes of memory at the peak of a training, by part, as low, expected and high.

What can be counted is counted: weights, update, gradients, optimizer. Activations follow from what
autograd keeps of one decoder layer; what libraries take is measured, and learned by calibration.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from foundry.core.records import Record
from foundry.planning.estimate.job import FULL, Job
from foundry.planning.estimate.spread import Spread, exactly, total
from foundry.planning.estimate.stored import (
    BYTES,
    held_weight_bytes,
    optimizer_bytes,
    teacher_bytes,
)
from foundry.planning.processes import DEEPSPEED

MIB = 2**20
FLOAT32 = 4
HALF = "bfloat16"
# Logits of one block of the vocabulary at once (`train/losses/head.py`), with the copies that a
# float32 product, its exponentials and a cap make; where a class does more after its head, all.
HEAD_BLOCK, HEAD_COPIES = 4096, (1, 2, 3)
# Tiles of `trl/kernels/chunked_divergence.py` and `chunked_logprob.py`, TRL 1.16.
TILE_TOKENS, TILE_VOCABULARY = 4096, 32768
# Layers that read one tensor, which is kept for their updates alone.
SHARED = (("q_proj", "k_proj", "v_proj"), ("gate_proj", "up_proj"), ("down_proj",))
# What the count of a layer's activations misses, and what the allocator has in excess.
ACTIVATION_BOUNDS = (0.7, 1.0, 1.4)
GUESSED_BOUNDS = (0.5, 1.0, 2.0)
# Python with torch, transformers, peft and trl, and a tokenizer at 1.5 kB an entry, on the CPU; a
# CUDA context with cuBLAS on a GPU.
LIBRARIES = {"cpu": (600 * MIB, 900 * MIB, 1500 * MIB), "cuda": (500 * MIB, 900 * MIB, 1800 * MIB)}
TOKENIZER_BYTES = 1500
# Of what a GPU's allocator holds, the share that no tensor is in.
FRAGMENTS = (0.0, 0.05, 0.12)
# Numbers that DeepSpeed sends at once (`train/processes/zero.py`, `BUCKET`).
BUCKET = 50_000_000


@dataclass(frozen=True)
class Memory(Record):
    """Bytes at the peak. `parts` add up to `total`, `learned` names what a calibration changed."""

    parts: Mapping[str, Spread]
    total: Spread
    learned: bool = False


@dataclass(frozen=True)
class MemoryFactors:
    """What a calibration says of a machine: bytes of libraries, and factors of activations."""

    libraries: tuple[float, float, float]
    activations: tuple[float, float, float]


def memory(job: Job, backend: str, factors: MemoryFactors | None = None) -> Memory:
    """Bytes that one process of a training takes at its peak.

    Args:
        job: The training.
        backend: `cpu`, where the process itself is meant, or `cuda`, the memory of the device.
        factors: What was learned on this machine.
    """
    made = _peak(job, backend, factors)
    at_worst = _at_worst(job)
    if at_worst == job:
        return made
    worst = _peak(at_worst, backend, factors)
    more = worst.total.high - made.total.high
    part = "activations" if "activations" in made.parts else "proof"
    low = made.parts[part]
    parts = {**made.parts, part: Spread(low.low, low.expected, low.high + max(0.0, more))}
    return replace(made, parts=parts, total=total(parts.values()))


def _at_worst(job: Job) -> Job:
    """What the upper bound is of, where something is open.

    Where not every row was looked at, one is as long as any may be; where the processor may be
    fast at it, products are in half precision.
    """
    stray = job.rows.most if job.rows.most > job.rows.longest else job.stray_row
    return replace(job, stray_row=stray, dtype=HALF if job.may_round else job.dtype)


def _peak(job: Job, backend: str, factors: MemoryFactors | None) -> Memory:
    """Where the longest row is the longest of those that were looked at."""
    kept = _kept(job, backend)
    rounds = _rounds_weights(job, backend)
    step = {"activations": _activations(job, factors, rounds=rounds), "logits": _logits(job)}
    if job.drawn_tokens and total(_drawing(job).values()).expected > total(step.values()).expected:
        step = _drawing(job)  # before the gradient, and given back by then
    proof = exactly(held_weight_bytes(job))
    if backend == "cpu" and proof.expected > total(step.values()).expected:
        # After the last step the saved adapter is read back upon a second copy of the base. A GPU
        # has given back the moments and the first copy's weights by then.
        step = {"proof": proof}
    parts = {**kept, **step, "libraries": _libraries(job, backend, factors)}
    if backend == "cuda":
        held = total(kept.values()).plus(total(step.values()))
        parts["fragments"] = held.times(*FRAGMENTS)
    return Memory(parts, total(parts.values()), factors is not None)


def _kept(job: Job, backend: str) -> dict[str, Spread]:
    """What is there from the first step to the last."""
    trained = job.trained_weights / (job.processes if job.is_sharded else 1)
    parts: dict[str, float] = {"weights": held_weight_bytes(job)}
    if job.adapter != FULL:
        parts["adapter"] = FLOAT32 * trained
    parts["gradients"] = FLOAT32 * job.moved_here
    some = max(1, job.trained_weights)  # none where targets match no layer, which is told later
    parts["optimizer"] = optimizer_bytes(job) * job.moved_here / some
    if job.strategy == DEEPSPEED:  # its own copy of the part that it moves, and what is on the way
        parts["optimizer"] += FLOAT32 * job.trained_weights / job.processes
        parts["gradients"] += FLOAT32 * min(BUCKET, job.trained_weights)
    if job.copies_reference:
        parts["reference"] = FLOAT32 * trained
    if job.teacher is not None:
        parts["teacher"] = teacher_bytes(job)
    if _rounds_weights(job, backend):
        parts["rounded"] = BYTES[HALF] * job.shape.linear_weights  # `train/fused.py`
    if backend == "cpu":  # beside a GPU it is in the computer's own memory
        parts["first_copy"] = FLOAT32 * job.trained_weights  # what the learning proof compares with
    return {name: exactly(count) for name, count in parts.items()}


def _rounds_weights(job: Job, backend: str) -> bool:
    """Whether a processor's products are in half precision and the weights are not."""
    return backend == "cpu" and job.dtype == HALF and job.weights == "float32"


def layer_activations(job: Job, *, rounds: bool = False) -> float:
    """Bytes that autograd keeps of one decoder layer for one token.

    Inputs and outputs of the norms (inputs in float32), queries, keys, values and the attention's
    output, the four tensors inside a gated feed-forward layer, and the update's inner vectors.
    With `rounds`, what norms and positions make is in float32 though products are in half
    precision, and what layers read is there in both.
    """
    shape, number, rounded = job.shape, BYTES[job.dtype], 0
    if rounds:
        number = FLOAT32
        read = 2 * shape.hidden + shape.heads * shape.head_dim + shape.intermediate
        rounded = BYTES[HALF] * read
    norms = 2 * shape.hidden * (FLOAT32 + number)
    attention = (3 * shape.heads + 2 * shape.kv_heads) * shape.head_dim * number
    inside = 4 if shape.gated else 3
    feed_forward = inside * shape.intermediate * (shape.experts_per_token or 1) * number
    update = len(job.adapted) * job.rank * FLOAT32
    dropped = _dropped(job) if job.dropout else 0
    return norms + attention + feed_forward + update + rounded + dropped


def _dropped(job: Job) -> float:
    """Of an update that drops some of its input: what is left and, on the CPU, a mask as large.

    Both in float32, for each adapted layer by itself, and in the place of the input they share.
    """
    read = {one.name: one.inputs for one in job.adapted}
    shared = sum(max(read.get(name, 0) for name in names) for names in SHARED)
    return 2 * FLOAT32 * sum(read.values()) - BYTES[job.dtype] * shared


def _activations(job: Job, factors: MemoryFactors | None, *, rounds: bool) -> Spread:
    tokens, layers = job.largest_pass, job.reached_layers
    layer = layer_activations(job, rounds=rounds) * tokens
    layer += FLOAT32 * job.held_matrices * sum(one.weights for one in job.adapted)
    if job.gradient_checkpointing:
        kept = layers * job.shape.hidden * BYTES[job.dtype] * tokens + layer
    else:
        kept = layers * layer
    bounds = factors.activations if factors else ACTIVATION_BOUNDS
    bounds = GUESSED_BOUNDS if job.is_guessed else bounds
    return exactly(kept).times(*bounds)


def _drawing(job: Job) -> dict[str, Spread]:
    """Of answers being drawn together: keys and values of every token, and the next one's logits.

    Sampling sorts and sums the logits in copies of them, as many as of a block of the head.
    """
    shape, rows = job.shape, job.global_batch_size
    token = 2 * shape.layers * shape.kv_heads * shape.head_dim * BYTES[job.dtype]
    logits = exactly(FLOAT32 * rows * shape.vocabulary).times(*HEAD_COPIES)
    return {"activations": exactly(token * rows * job.rows.longest), "logits": logits}


def _logits(job: Job) -> Spread:
    """Of the head: a block of logits, the hidden states that reach it, and their gradient."""
    if job.teacher is not None or job.drawn_tokens:
        return _tiles(job)
    if job.says_reward:
        return exactly(3 * FLOAT32 * job.largest_supervised * job.shape.hidden)
    block = min(HEAD_BLOCK, job.shape.vocabulary)
    logits = exactly(FLOAT32 * job.largest_supervised * block).times(*HEAD_COPIES)
    return logits.plus(exactly(3 * FLOAT32 * job.largest_supervised * job.shape.hidden))


def _tiles(job: Job) -> Spread:
    """Of the head as TRL's kernels have it: a tile of both models' logits, and what a cap makes."""
    tile = min(TILE_TOKENS, job.largest_supervised) * min(TILE_VOCABULARY, job.shape.vocabulary)
    hidden = 3 * FLOAT32 * job.largest_supervised * job.shape.hidden
    models = 2 if job.teacher is not None else 1
    return exactly(FLOAT32 * models * tile).times(1, 3, 5).plus(exactly(hidden))


def _libraries(job: Job, backend: str, factors: MemoryFactors | None) -> Spread:
    bounds = factors.libraries if factors else LIBRARIES[backend]
    tokenizer = TOKENIZER_BYTES * job.shape.vocabulary if backend == "cpu" else 0
    return Spread(*bounds).plus(exactly(tokenizer))
