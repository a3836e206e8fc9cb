"""Settle what `auto` leaves open by trying it on the real model and rows for a few seconds.

None of it changes the result beyond rounding, except the number type, which is why another is only
taken where it is clearly faster. The choice is kept in the run, so that a resumed run goes on as it
began.
"""

import json
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import torch

from foundry.core import atomic
from foundry.core.environment import cores
from foundry.core.language import gettext as _
from foundry.models.language_part import token_type_inputs
from foundry.models.products import are_onednns_better
from foundry.train.adapter_files import has_update, without_update
from foundry.train.batches.arrange import Arrangement, arrange
from foundry.train.batches.collate import on_device
from foundry.train.inputs import FitInputs
from foundry.train.learning_rate import Trained, learning_rate
from foundry.train.losses.head import Head
from foundry.train.losses.supervised import cut, supervised_loss
from foundry.train.settings import TrainerSettings
from foundry.train.trial import PACKS, is_worthwhile

FILE = "settled.json"
# Less than this is no reason for a larger pack, which takes more memory.
CLEARLY_FASTER = 1.03
# bfloat16 rounds to 8 bits; a fifth of the time is no reason for that.
HALF_IS_FASTER = 1.5
MATRIX, SLOW_S = 1024, 0.5
# Steps of which the one with most tokens is tried: a pack that is a little too small for some of
# them cuts off a rest, which reads all weights again for a few tokens.
DRAWN_STEPS = 32


@dataclass(frozen=True)
class Settled:
    """What a key of the plan came to, and why."""

    value: Any
    reason: str


Step = Callable[[Arrangement], float] | None
Choice = TypeVar("Choice")


def settle(inputs: FitInputs, spec: TrainerSettings, step: Step) -> dict[str, Settled]:
    """The choices for this run, from an earlier start of it where there was one.

    Args:
        inputs: What is trained; its arrangement is what the plan expects.
        spec: Whether a key is `auto`.
        step: Takes the gradients of a step in an arrangement and says how many seconds it took;
            None where nothing can be tried.

    Returns:
        By key of `Plan.resolved`; told as events, and kept in `settled.json` of the run.
    """
    file = inputs.run.file(FILE)
    if file.is_file():
        kept = json.loads(file.read_text(encoding="utf-8"))
        return {key: Settled(**found) for key, found in kept.items()}
    # On a GPU the plan's pack is the largest that fits: a larger one is not tried, and a smaller
    # one is not faster there. A trial keeps all activations, also where the training does not.
    is_tight = inputs.place.is_gpu or spec.gradient_checkpointing is True
    if is_tight or not is_worthwhile(inputs.steps, spec.deterministic):
        step = None
    made = {"attention": _attention(inputs), "dtype": _number_type(inputs, spec, step)}
    made |= _products(inputs) | _packing(inputs, spec) | _rate(inputs, spec)
    if step is not None:
        step = _in_type(step, made["dtype"].value)
    made |= _tried(inputs, spec, step)
    for key, found in made.items():
        inputs.events.emit("train", "settled", key=key, value=found.value, reason=found.reason)
    atomic.write_json(file, {key: vars(found) for key, found in made.items()})
    return made


def as_settled(inputs: FitInputs, settled: Mapping[str, Settled]) -> FitInputs:
    """The inputs with what was settled; sets the number of threads of this process."""
    threads = min(settled["threads"].value, cores())  # it may go on where there are fewer
    if inputs.crew.size > 1:  # each has its share of the cores, see `worker.py`
        threads = min(threads, torch.get_num_threads())
    torch.set_num_threads(threads)
    if "pack_tokens" not in settled:
        return inputs
    chosen = replace(inputs.arrangement, pack_tokens=settled["pack_tokens"].value)
    return replace(inputs, arrangement=chosen)


def step_seconds(inputs: FitInputs, head: Head | None, arrangement: Arrangement) -> float:
    """How long the gradients of a step take; neither they nor random numbers are used up."""
    model, zeros = inputs.model, token_type_inputs(without_update(inputs.model))
    rows = [{"id": r.id, "input_ids": r.input_ids, "labels": r.labels} for r in sample(inputs)]
    model.train()
    started = time.monotonic()
    with torch.random.fork_rng():
        for batch in cut(rows, arrangement, zeros):
            supervised_loss(model, on_device(batch, model.device), head).backward()
    seconds = time.monotonic() - started
    model.zero_grad()
    return seconds


def _attention(inputs: FitInputs) -> Settled:
    if inputs.arrangement.is_given:
        return Settled("own", _("that of its class: prompts are filled up on the left"))
    if inputs.arrangement.by_row:
        return Settled("by-row", _("asked of the model: rows attended to one by one read the same"))
    return Settled("own", _("asked of the model: it needs the attention of its class"))


def _products(inputs: FitInputs) -> dict[str, Settled]:
    """Which library multiplies float32 matrices; a GPU has its own."""
    if inputs.place.is_gpu:
        return {}
    if are_onednns_better():
        why = _("as exact as torch's own, which is slow on a processor that is not Intel's")
        return {"products": Settled("onednn", why)}
    return {"products": Settled("torch", _("torch's own"))}


def _packing(inputs: FitInputs, spec: TrainerSettings) -> dict[str, Settled]:
    """Where rows were to be packed and this model must not see them so."""
    if spec.packing == "none" or inputs.arrangement.kind == "packed":
        return {}
    return {
        "packing": Settled("none", _("asked of the model: rows in one sequence see each other"))
    }


def _rate(inputs: FitInputs, spec: TrainerSettings) -> dict[str, Settled]:
    """The number that `auto` means, now that the steps are counted."""
    if spec.learning_rate != "auto":
        return {}
    trained: Trained = "update" if has_update(inputs.model) else "weights"
    found = learning_rate(trained, inputs.steps, inputs.times_rate, spec.all_weights_rate)
    return {"learning_rate": Settled(*found)}


def _tried(inputs: FitInputs, spec: TrainerSettings, step: Step) -> dict[str, Settled]:
    made = {"threads": Settled(torch.get_num_threads(), _("all that there are"))}
    if step is None:
        return made
    made["threads"] = _threads(inputs.arrangement, step)
    if spec.pack_tokens == "auto" and inputs.arrangement.kind == "packed":
        made |= _pack_tokens(inputs, step)
    return made


def _number_type(inputs: FitInputs, spec: TrainerSettings, step: Step) -> Settled:
    if spec.dtype != "auto":
        return Settled(spec.dtype, _("as the recipe says"))
    if inputs.place.is_gpu and torch.cuda.is_bf16_supported(including_emulation=False):
        return Settled("bfloat16", _("the usual number type of this device"))
    if inputs.place.is_gpu:
        return Settled("float32", _("the device has no bfloat16"))
    if not is_worthwhile(inputs.steps, spec.deterministic):
        return Settled("float32", _("the exact one; the run is too short to try others"))
    found = number_type()
    if found.value == "float32" or step is None:
        return found
    return _type_of_a_step(inputs.arrangement, step)


def _type_of_a_step(arrangement: Arrangement, step: Callable[[Arrangement], float]) -> Settled:
    """bfloat16 where a whole step is clearly faster in it: some of its products stay float32."""
    kinds = {name: partial(_in_type(step, name), arrangement) for name in ("float32", "bfloat16")}
    seconds = _best_of_two(kinds)
    is_faster = HALF_IS_FASTER * seconds["bfloat16"] < seconds["float32"]
    return Settled("bfloat16" if is_faster else "float32", _measured(seconds))


def _in_type(step: Callable[[Arrangement], float], name: str) -> Callable[[Arrangement], float]:
    """A step on the processor with its products in a number type."""

    def taken(arrangement: Arrangement) -> float:
        with torch.autocast("cpu", torch.bfloat16, enabled=name == "bfloat16"):
            return step(arrangement)

    return taken


def _threads(arrangement: Arrangement, step: Callable[[Arrangement], float]) -> Settled:
    """All cores, or half of them where two share an arithmetic unit."""
    most = torch.get_num_threads()
    if most < 4:
        return Settled(most, _("all that there are"))
    seconds = {}
    for count in (most, most // 2):
        torch.set_num_threads(count)
        seconds[count] = min(step(arrangement), step(arrangement))
    best = min(seconds, key=lambda count: seconds[count])
    torch.set_num_threads(best)
    return Settled(best, _measured(seconds))


def _pack_tokens(inputs: FitInputs, step: Callable[[Arrangement], float]) -> dict[str, Settled]:
    """The smallest size that is as fast as any, each by the better of two turns.

    Nothing is tried where each size cuts the rows alike, and none that may not fit the memory.
    """
    lengths = [len(row.input_ids) for row in sample(inputs)]
    most = inputs.most_pack_tokens or inputs.arrangement.pack_tokens
    sizes = distinct_sizes(lengths, inputs.arrangement, most)
    if not sizes:
        return {}
    if len(sizes) == 1:
        return {"pack_tokens": Settled(sizes[0], _("any larger pack cuts the rows alike"))}
    cut_so = {size: replace(inputs.arrangement, pack_tokens=size) for size in sizes}
    seconds = _best_of_two({size: partial(step, one) for size, one in cut_so.items()})
    best = min(seconds, key=lambda size: seconds[size])
    chosen = min(size for size in seconds if seconds[size] <= CLEARLY_FASTER * seconds[best])
    reason = _measured(seconds)
    # The memory that a run has held at its peak is that of the largest trial.
    return {
        "pack_tokens": Settled(chosen, reason),
        "tried_pack_tokens": Settled(max(sizes), reason),
    }


def _best_of_two(steps: Mapping[Choice, Callable[[], float]]) -> dict[Choice, float]:
    """Seconds of each, the better of two turns after one that warms up."""
    for step in steps.values():
        step()
    turns = [{choice: step() for choice, step in steps.items()} for _turn in range(2)]
    return {choice: min(turn[choice] for turn in turns) for choice in steps}


def _measured(seconds: Mapping[Any, float]) -> str:
    listed = ", ".join(f"{choice}: {taken:.2f} s" for choice, taken in seconds.items())
    return _("measured, one step: {listed}").format(listed=listed)


def sample(inputs: FitInputs) -> Sequence[Any]:
    """As many rows as a micro-batch may have: of some draws the longest, the same for one seed."""
    count, rows = min(inputs.arrangement.micro_batch_size, len(inputs.rows)), list(inputs.rows)
    draw = random.Random(inputs.seed)
    draws = [draw.sample(rows, count) for _step in range(DRAWN_STEPS)]
    return max(draws, key=lambda drawn: sum(len(row.input_ids) for row in drawn))


def distinct_sizes(lengths: Sequence[int], arrangement: Arrangement, most: int) -> list[int]:
    """The sizes of packs that cut these rows differently, the smallest of those that do not.

    Args:
        lengths: Tokens of each row.
        arrangement: How they are laid out.
        most: The largest size that may be tried.
    """
    cuts: dict[str, int] = {}
    for size in (one for one in PACKS if one <= most):
        groups = arrange(lengths, replace(arrangement, pack_tokens=size))
        cuts.setdefault(json.dumps(groups), size)
    return list(cuts.values())


def number_type() -> Settled:
    """bfloat16 where its matrix product is clearly faster than float32's on this processor."""
    kinds = {"float32": torch.float32, "bfloat16": torch.bfloat16}
    seconds = {name: _product(kind) for name, kind in kinds.items()}
    is_faster = HALF_IS_FASTER * seconds["bfloat16"] < seconds["float32"]
    listed = ", ".join(f"{name} {taken * 1e3:.1f} ms" for name, taken in seconds.items())
    reason = _("measured, a product of {size} x {size}: {listed}")
    chosen = "bfloat16" if is_faster else "float32"
    return Settled(chosen, reason.format(size=MATRIX, listed=listed))


def _product(kind: torch.dtype) -> float:
    """Seconds of a square matrix product; of a smaller one, scaled up, where that is slow already.

    Processors without instructions for bfloat16 took 9 s for the whole one.
    """
    for size in (MATRIX // 4, MATRIX):
        a = torch.ones(size, size, dtype=kind)
        a @ a
        start = time.monotonic()
        a @ a
        seconds = (time.monotonic() - start) * (MATRIX / size) ** 3
        if seconds > SLOW_S:
            break
    return seconds
