"""Bytes that numbers take in each way of keeping them."""

from foundry.models.shape import Shape
from foundry.planning.estimate.job import EIGHT_BIT, QLORA, Job

BYTES = {"float32": 4, "bfloat16": 2}
# bitsandbytes 0.50, NF4 with double quantisation: two numbers a byte; a scale for each 64 numbers
# in one byte; for each 256 scales a float32 of its own. Each tensor has two tables, 16 and 256
# float32, and an offset. Read off `quantize_4bit(..., compress_statistics=True)`.
BLOCK, OUTER_BLOCK, TABLES = 64, 256, 4 * (16 + 256 + 1)
# 8-bit AdamW keeps two moments of a byte and a float32 for each 256; that tensors of less than 4096
# numbers stay float32 is not counted.
MOMENT_BLOCK = 256


def nf4_bytes(numbers: int) -> int:
    """What a tensor of so many numbers takes as NF4."""
    scales = _ceil(numbers, BLOCK)
    return _ceil(numbers, 2) + scales + 4 * _ceil(scales, OUTER_BLOCK) + TABLES


def weight_bytes(job: Job) -> int:
    """The base model's weights in memory."""
    shape, per_number = job.shape, BYTES[job.weights]
    around = shape.embedding_weights + shape.norm_weights + shape.other_parameters
    if job.adapter != QLORA:
        return per_number * (around + shape.linear_weights)
    return per_number * around + _quantised(shape)


def held_weight_bytes(job: Job) -> float:
    """What of them one process holds: all, or its part of each layer.

    Of a model in parts two layers are whole at any time, that which computes and the next; what
    lies outside of the layers is whole in each process (`foundry/train/processes/sharding.py`).
    """
    if not job.is_sharded:
        return weight_bytes(job)
    outside = BYTES[job.weights] * (job.shape.embedding_weights + job.shape.other_parameters)
    layers = weight_bytes(job) - outside
    return outside + layers / job.processes + 2 * layers / job.shape.layers


def teacher_bytes(job: Job) -> int:
    """A teacher's weights in memory, in the numbers that the base's have; 0 without one."""
    return 0 if job.teacher is None else BYTES[job.weights] * job.teacher.parameters


def optimizer_bytes(job: Job) -> int:
    """Two moments of each trained number."""
    if job.optimizer != EIGHT_BIT:
        return 8 * job.trained_weights
    return 2 * job.trained_weights + 8 * _ceil(job.trained_weights, MOMENT_BLOCK)


def _quantised(shape: Shape) -> int:
    one_layer = sum(one.copies * nf4_bytes(one.inputs * one.outputs) for one in shape.linears())
    return shape.layers * one_layer


def _ceil(number: int, step: int) -> int:
    return -(-number // step)
