"""Seconds that a training takes: operations, traffic, calls, and what happens once."""

from dataclasses import dataclass

from foundry.core.records import Record
from foundry.planning.estimate.flops import step_flops
from foundry.planning.estimate.job import QLORA, Job
from foundry.planning.estimate.memory import layer_activations
from foundry.planning.estimate.spread import Spread, exactly
from foundry.planning.estimate.stored import teacher_bytes, weight_bytes
from foundry.planning.hardware import Device
from foundry.planning.processes import DEEPSPEED

# Reading a frozen NF4 weight back to bfloat16, once forward and once backward: 0.5 byte read and
# 2 written, then read by the product. AdamW reads and writes weight, gradient and two moments.
NF4_TRAFFIC, ADAMW_TRAFFIC = 2 * (0.5 + 2 + 2), 28
# Bytes a second between two GPUs where nothing better is known: PCI Express 4.0 with 16 lanes has
# 31.5e9 by its specification, of which four fifths are assumed to be reached.
LINK_BYTES_S = 25e9
# Dispatching the operations of one decoder layer forward and backward, in seconds: on two cores, of
# layers so small that nothing else counts; on an H100, what is left unexplained of a 12B model
# (docs/gpu.md; 2.9e-3 in packs of 4,096, 5.7e-3 in packs of 2,048).
LAYER_CALL_S = {"cpu": 4e-3, "cuda": 3e-3}
# Imports, two copies of the weights read at 1 GB/s, and the proofs.
ONCE_S, LOADED_BYTES_S = 10.0, 1e9


@dataclass(frozen=True)
class Work(Record):
    """What a training consists of, each in its own unit, for all its steps.

    Attributes:
        operations: Floating-point operations.
        traffic: Bytes moved besides the operands of products.
        calls: Forward and backward passes through one decoder layer.
        loaded: Bytes of weights read.
    """

    operations: float
    traffic: float
    calls: float
    loaded: float


@dataclass(frozen=True)
class TimeFactors:
    """What a calibration says of a machine: seconds for each unit of `Work`, and once."""

    per_operation: float
    per_byte: float
    per_call: float
    once: float
    bounds: tuple[float, float, float] = (0.7, 1.0, 1.4)


def work(job: Job, backend: str) -> Work:
    """What the steps of a training consist of."""
    operations = step_flops(job).total
    elementwise = layer_activations(job) * job.shape.layers * job.step_tokens
    frozen = NF4_TRAFFIC * job.shape.linear_weights * job.passes if job.adapter == QLORA else 0
    traffic = (1 + 2 * job.reached) * elementwise + frozen + ADAMW_TRAFFIC * job.trained_weights
    held = job.held_in_a_step * (1 + job.reference_passes)
    traffic += held * (elementwise + frozen / 2)
    again = 0.5 if job.gradient_checkpointing else 0.0
    # A forward pass alone is a third of what goes forward and backward.
    alone = 1 - job.reached + job.reference_passes + held
    calls = job.shape.layers * job.passes * ((1 + again) * job.reached + alone / 3)
    # Each token that is drawn reads all weights once for the whole batch, one pass forward.
    traffic += job.drawn_tokens * weight_bytes(job)
    calls += job.shape.layers * job.drawn_tokens / 3
    if job.teacher is not None:
        calls += job.teacher.layers * job.passes / 3
    # GPUs work beside each other; processes of one computer share its cores.
    share = 1 / job.processes if backend == "cuda" else 1.0
    calls *= 1 if backend == "cuda" else job.processes
    loaded = 2.0 * weight_bytes(job) + teacher_bytes(job)
    steps = job.steps
    return Work(operations * share * steps, traffic * share * steps, calls * steps, loaded)


def exchanged(job: Job) -> float:
    """Bytes that each of several processes sends in a step.

    Of a sum in a ring each sends its gradients twice but for its own part (Patarasuk and Yuan 2009,
    "Bandwidth optimal all-reduce algorithms"). Of a model in parts every pass gathers the layers
    forward and backward, and scatters the gradients once. DeepSpeed sends the gradients of every
    pass to whoever keeps them, and the weights back once.
    """
    others = (job.processes - 1) / job.processes
    gradients = 4 * job.trained_weights * others
    if job.strategy == DEEPSPEED:
        return gradients * job.passes + gradients
    if not job.is_sharded:
        return 2 * gradients
    return gradients * job.passes + 2 * weight_bytes(job) * others * job.passes


def seconds(job: Job, device: Device, learned: TimeFactors | None = None) -> Spread:
    """Seconds from loading the base to the end of the learning proof."""
    needed = work(job, device.backend)
    tokens = job.rows.tokens
    lengths = (tokens.low / tokens.expected, 1.0, tokens.high / tokens.expected)
    if learned is not None:
        steps = (
            needed.operations * learned.per_operation
            + needed.traffic * learned.per_byte
            + needed.calls * learned.per_call
        )
        once = learned.once + needed.loaded / LOADED_BYTES_S
        return exactly(steps).times(*lengths).plus(exactly(once)).times(*learned.bounds)
    share = device.achievable
    rate = Spread(share.low, share.expected, share.high)
    peak = device.tflops.of(job.dtype) * 1e12
    products = exactly(needed.operations / peak).over(rate)
    around = needed.traffic / (device.bandwidth_gb_s * 1e9)
    around += needed.calls * LAYER_CALL_S[device.backend]
    if device.backend == "cuda":
        around += job.steps * exchanged(job) / LINK_BYTES_S
    steps_s = products.plus(exactly(around)).times(*lengths)
    return steps_s.plus(exactly(ONCE_S + needed.loaded / LOADED_BYTES_S))
