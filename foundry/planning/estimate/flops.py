"""Floating-point operations of a training step, by part; a multiply-add counts as two.

A product with N weights costs 2N a token forward and 2N for the gradient of its input; where its
weights are trained, 2N more (Kaplan et al. 2020, "Scaling Laws for Neural Language Models",
section 2.1). So frozen weights cost 4NT and trained ones 6NT; frozen ones below all that trains,
which no gradient reaches, 2NT.
"""

from dataclasses import dataclass

from foundry.core.records import Record
from foundry.models.shape import Shape
from foundry.planning.estimate.job import Job

# What a fused attention computes backward for each operation forward: five products to two.
# Dao et al. (2022), "FlashAttention", section 3.1.
ATTENTION_BACKWARD = 2.5
# Layers whose input has no gradient: the first one's, where nothing before it is trained.
FIRST = ("q_proj", "k_proj", "v_proj")


@dataclass(frozen=True)
class Flops(Record):
    """Operations of one optimizer step; `beside` are a teacher's and of drawing.

    `validation` are those of measuring the loss on held rows, a step's share of them.
    """

    linear: float
    update: float
    attention: float
    head: float
    recomputed: float
    reference: float = 0.0
    beside: float = 0.0
    validation: float = 0.0

    @property
    def total(self) -> float:
        """All of them."""
        trained = self.linear + self.update + self.attention + self.head
        return trained + self.recomputed + self.reference + self.beside + self.validation


def step_flops(job: Job) -> Flops:
    """Operations of one step of expected length."""
    tokens = job.step_tokens
    forward_linear = 2 * job.shape.active_weights * tokens
    forward_update = 2 * job.update_weights * tokens
    forward_attention = _attention(job)
    again = forward_linear + forward_update + forward_attention
    forward_head = _forward_head(job)
    measured = (again + forward_head) * job.held_in_a_step * (1 + job.reference_passes)
    own = (job.last_layers or job.shape.layers) / job.shape.layers if job.is_full else 0
    return Flops(
        linear=forward_linear * (1 + job.reached + own) - _skipped_linear(job, tokens),
        update=forward_update * 3 - _skipped_update(job, tokens),
        attention=forward_attention * (1 + ATTENTION_BACKWARD * job.reached),
        head=forward_head * _head_passes(job),
        recomputed=again * job.reached if job.gradient_checkpointing else 0.0,
        reference=(forward_linear + forward_attention + forward_head) * job.reference_passes,
        beside=_beside(job),
        validation=measured,
    )


def _forward_head(job: Job) -> float:
    """One product: of the vocabulary at each supervised token, or of a reward at each end."""
    if job.says_reward:
        return 2.0 * job.shape.hidden * job.sides * job.global_batch_size
    return 2 * job.shape.hidden * job.shape.vocabulary * job.step_supervised


def _beside(job: Job) -> float:
    """Forward passes without a gradient: a teacher's, and drawing answers.

    A token that is drawn is read once, as the rest of its row is, with keys and values kept.
    """
    made = 0.0 if job.teacher is None else _read(job.teacher, job)
    if job.drawn_tokens:
        made += _read(job.shape, job)
    return made


def _read(shape: Shape, job: Job) -> float:
    head = 2 * shape.hidden * shape.vocabulary * job.step_supervised
    return 2 * shape.active_weights * job.step_tokens + head


def _head_passes(job: Job) -> int:
    """Logits and the gradient of what reaches the head; logits again and its own.

    As `train/losses/head.py` computes them.
    """
    if job.says_reward:  # whose head is trained in any case
        return 3
    return 4 if job.is_full and job.last_layers is None else 2


def _skipped_linear(job: Job, tokens: float) -> float:
    """The first layer's input needs no gradient while what made it is frozen."""
    if job.is_full or job.gradient_checkpointing:  # the norm before it trains with its layer
        return 0.0
    first = sum(one.inputs * one.outputs for one in job.shape.linears() if one.name in FIRST)
    return 2 * first * tokens


def _skipped_update(job: Job, tokens: float) -> float:
    if job.is_full or job.gradient_checkpointing:
        return 0.0
    return 2 * sum(job.rank * one.inputs for one in job.adapted if one.name in FIRST) * tokens


def _attention(job: Job) -> float:
    """Forward: two products of heads x head_dim for each pair of positions of a side of a row."""
    shape, row = job.shape, job.rows.tokens.expected / job.sides
    pair = 4 * shape.heads * shape.head_dim
    full = shape.layers if shape.full_layers is None else shape.full_layers
    near = min(row, shape.sliding_window or row)
    return pair * job.step_tokens * (full * row + (shape.layers - full) * near)
