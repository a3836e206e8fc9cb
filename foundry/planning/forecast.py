"""What a recipe will take on a machine: operations, memory, disk, hours, money, and if it fits."""

import itertools
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from foundry.core.load import LoadedRecipe
from foundry.core.records import Record
from foundry.models.at_hand import at_hand
from foundry.planning import calibration
from foundry.planning.cost import Cost, Rates, cost
from foundry.planning.dry_render import light_encoder
from foundry.planning.estimate.disk import Disk, disk
from foundry.planning.estimate.duration import Work, seconds, work
from foundry.planning.estimate.flops import Flops, step_flops
from foundry.planning.estimate.job import EIGHT_BIT, Job, job_of, open_settings
from foundry.planning.estimate.memory import Memory, memory
from foundry.planning.estimate.rows import Rows, rows_of
from foundry.planning.estimate.spread import Spread
from foundry.planning.hardware import Device
from foundry.planning.processes import DDP, DEEPSPEED, FSDP2, open_strategy
from foundry.planning.shapes import KnownShape, known
from foundry.train import capacity
from foundry.train.trial import PACKS, is_worthwhile

# Of its memory, what a card's driver and screen leave, and what an operating system leaves that
# lives in the same memory; assumed.
LEFT_BY_DRIVER, LEFT_BY_SYSTEM = 0.96, 0.9
SMALLEST_PACK = 128


@dataclass(frozen=True)
class Forecast(Record):
    """What one training takes on one device.

    Attributes:
        device: Its name.
        job: What is trained, how, on how many tokens, after `auto` was settled.
        shape_from: `config.json`, `configs/models`, or `parameters` (a typical model).
        step: Operations of one step.
        operations: Those of all steps.
        memory: Bytes at the peak, by part.
        usable_bytes: Memory that the device has for it; for one process where there are several.
        disk: Bytes the run leaves, by part.
        seconds: Time of the training stage.
        cost: Hours, energy, money.
        work: What `seconds` was computed from; a calibration reads it.
        learned_from: Runs on this machine that the figures were corrected with.
    """

    device: str
    job: Job
    shape_from: str
    step: Flops
    operations: float
    memory: Memory
    usable_bytes: int
    disk: Disk
    seconds: Spread
    cost: Cost
    work: Work
    learned_from: int

    @property
    def fits(self) -> bool:
        """Whether the expected peak is within what the device has."""
        return self.memory.total.expected <= self.usable_bytes

    @property
    def is_tight(self) -> bool:
        """Whether the peak may be above what the device has, though it is not expected."""
        return self.fits and self.memory.total.high > self.usable_bytes

    @property
    def warnings(self) -> tuple[dict[str, Any], ...]:
        """What is no fault, and may explain a model that will have learned too little."""
        if self.job.is_full:
            return ()
        supervised = round(self.job.rows.count * self.job.rows.supervised.expected)
        found = capacity.warning(self.job.trained_weights, supervised)
        return () if found is None else (found,)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, with what is computed of them."""
        return {**super().as_dict(), "fits": self.fits, "is_tight": self.is_tight} | {
            "job": {**asdict(self.job), **_shapes(self.job)},
            "disk": {**self.disk.as_dict(), "total": self.disk.total},
            "trained_parameters": self.job.trained_weights,
            "parameters": self.job.shape.parameters,
            "step_tokens": self.job.step_tokens,
            "step_supervised": self.job.step_supervised,
        }


def _shapes(job: Job) -> dict[str, Any]:
    teacher = None if job.teacher is None else job.teacher.model_dump(mode="json")
    return {"shape": job.shape.model_dump(mode="json"), "teacher": teacher}


def known_shape(loaded: LoadedRecipe) -> KnownShape:
    """The shape of a recipe's base model; see `shapes.known`."""
    return known(loaded.recipe.base_model, loaded.path.parent)


def known_rows(loaded: LoadedRecipe) -> Rows:
    """How many rows a recipe trains on and how long they are, by its own tokenizer if it is here.

    Raises:
        DataError, ResourceError: A file is missing or cannot be read.
    """
    base = at_hand(loaded.recipe.base_model, loaded.path.parent)
    encoder = None if base is None else light_encoder(base, loaded.recipe.encode.system)
    with tempfile.TemporaryDirectory(prefix="foundry-") as work:
        return rows_of(loaded, encoder, Path(work))


def forecast(
    loaded: LoadedRecipe, device: Device, rates: Rates, known: KnownShape, rows: Rows
) -> Forecast:
    """What a recipe takes on a device, with `auto` settled as it fits best.

    Settings left to the machine are the largest pack that surely fits; where none does, with
    activations computed twice; where that does not either, with moments in eight bits; then with
    the model in parts, where several processes may hold it so. Where nothing surely fits, the
    first that should; else what takes the least. Larger packs are tried before the first step as
    far as they surely fit too, and what they take is in the forecast.
    """
    asked = job_of(loaded, known, rows, device)
    ways = _settings(asked, open_settings(loaded) | open_strategy(loaded), device)
    made = [_of(job, known, device, rates) for job in ways]
    sure = [one for one in made if one.memory.total.high <= one.usable_bytes]
    fitting = sure or [one for one in made if one.fits]
    if not fitting:
        return min(made, key=lambda one: one.memory.total.expected)
    job = fitting[0].job
    if not _tries(loaded, job, device):
        return fitting[0]
    larger = [pack for pack in reversed(PACKS) if pack > job.pack_tokens]
    for tried in larger:
        one = _of(replace(job, tried_pack=tried), known, device, rates)
        if one.memory.total.high <= one.usable_bytes:
            return one
    return _of(replace(job, tried_pack=job.pack_tokens), known, device, rates)


def _tries(loaded: LoadedRecipe, job: Job, device: Device) -> bool:
    """Whether packs are tried out before the first step; see `foundry.train.probe`."""
    train = loaded.recipe.train.spec.model_dump()
    is_long = is_worthwhile(job.steps, train["deterministic"])
    is_open = "pack_tokens" in open_settings(loaded) and train["packing"] != "none"
    has_more = job.reference_passes or job.drawn_tokens or job.teacher or job.says_reward
    is_plain = job.sides == 1 and not has_more
    alone = device.backend == "cpu" and job.processes == 1
    return alone and is_long and is_open and is_plain and not job.gradient_checkpointing


def _settings(job: Job, open_keys: set[str], device: Device) -> Iterator[Job]:
    """Ways to settle what is left open, best first.

    bitsandbytes has moments of eight bits on a GPU alone, and they save next to nothing of an
    update, whose moments are small.
    """
    packs = [job.pack_tokens]
    if "pack_tokens" in open_keys:
        least = max(SMALLEST_PACK, job.rows.longest)
        while packs[-1] // 2 >= least:
            packs.append(packs[-1] // 2)
    checkpointing = [job.gradient_checkpointing]
    if "gradient_checkpointing" in open_keys:
        checkpointing = [False, True]
    optimizers = [job.optimizer]
    if "optimizer" in open_keys and job.is_full and device.backend == "cuda":
        optimizers = [job.optimizer, EIGHT_BIT]
    strategies = [job.strategy]
    if job.strategy == DDP and "strategy" in open_keys:
        strategies = [DDP, FSDP2]
    ways = itertools.product(strategies, optimizers, checkpointing, packs)
    for strategy, kind, twice, tokens in ways:
        if kind == EIGHT_BIT and strategy in (FSDP2, DEEPSPEED):
            continue  # is refused, see `planning.processes`
        settings = {"optimizer": kind, "gradient_checkpointing": twice, "pack_tokens": tokens}
        yield replace(job, strategy=strategy, **settings)


def _of(job: Job, known: KnownShape, device: Device, rates: Rates) -> Forecast:
    learned = calibration.of(device)
    step = step_flops(job)
    took = seconds(job, device, learned.time if learned else None)
    left = LEFT_BY_SYSTEM if device.unified_memory else LEFT_BY_DRIVER
    is_gpu = device.backend == "cuda"
    held = replace(job, pack_tokens=max(job.pack_tokens, job.tried_pack))
    return Forecast(
        device=device.name,
        job=job,
        shape_from=known.origin,
        step=step,
        operations=step.total * job.steps,
        memory=memory(held, device.backend, learned.memory if learned else None),
        usable_bytes=int(device.memory_bytes * left / (1 if is_gpu else job.processes)),
        disk=disk(job),
        seconds=took,
        cost=cost(took, device, rates, job.processes if is_gpu else 1),
        work=work(job, device.backend),
        learned_from=learned.runs if learned else 0,
    )
