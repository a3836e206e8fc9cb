"""Learn a machine's speed and memory from its runs, for `foundry plan --calibrate`.

Time is a sum of operations, bytes, calls and what happens once, each with a rate of the machine;
memory a sum of what is counted, the libraries and a factor of the activations. The rates are those
with the least squared relative error over the runs, drawn towards the plan's own where few runs
say little (ridge; Hoerl and Kennard 1970), and never negative, since logarithms are fitted.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from foundry.core.errors import Problem, ResourceError
from foundry.core.language import gettext as _
from foundry.core.records import Record
from foundry.planning import accelerator, calibration, hardware
from foundry.planning.calibration import Calibration, machine_key
from foundry.planning.estimate.duration import LAYER_CALL_S, LOADED_BYTES_S, ONCE_S, TimeFactors
from foundry.planning.estimate.memory import ACTIVATION_BOUNDS, LIBRARIES, MemoryFactors

# How much the plan's own rates weigh against one run: a rate that is e times another costs as much
# as a run that is off by a tenth. No rate is more than e^8, 3,000 times, another.
RIDGE, FARTHEST = 0.01, 8.0
# Beyond the largest error seen, since the next run may be off by more.
MARGIN = 1.1
WORK = ("operations", "traffic", "calls")


@dataclass(frozen=True)
class Learned(Record):
    """A calibration, and the median relative errors of runs that were left out of theirs.

    The errors are None of a single run, which can be held against itself alone.
    """

    calibration: Calibration
    time_error: float | None
    memory_error: float | None
    path: str


@dataclass(frozen=True)
class Sample:
    """One run: what it consisted of, and what it took."""

    work: Mapping[str, float]
    parts: Mapping[str, float]
    seconds: float
    peak_bytes: float


def learn(runs: Path) -> Learned:
    """Learn from every finished training of this machine below `runs`, and keep it.

    Raises:
        ResourceError: There is none.
    """
    found = list(samples(runs).values())
    if not found:
        what = _("no finished training of this machine is below this folder")
        raise ResourceError(Problem(str(runs), what, _("train a recipe first")))
    made = calibrate(found)
    errors = left_out(found)
    path = calibration.keep(made)
    if not errors:
        return Learned(made, None, None, str(path))
    return Learned(made, median(t for t, _m in errors), median(m for _t, m in errors), str(path))


def samples(runs: Path) -> dict[str, Sample]:
    """The finished trainings of this machine below a folder, by the names of their runs."""
    made = {}
    for path in sorted(runs.glob("*/train.json")):
        found = json.loads(path.read_text(encoding="utf-8")).get("forecast")
        if found and found["machine"] == machine_key() and found["measured"]["peak_memory_bytes"]:
            made[path.parent.name] = _sample(found)
    return made


def without_any() -> Calibration:
    """The plan's own factors, learned from no run."""
    time = TimeFactors(*_own_rates())
    libraries = LIBRARIES[accelerator.look().backend]
    return Calibration(0, time, MemoryFactors(libraries, ACTIVATION_BOUNDS))


def calibrate(found: Sequence[Sample]) -> Calibration:
    """The factors that fit the samples best."""
    time, memory = _time(found), _memory(found)
    return Calibration(len(found), time, memory)


def left_out(found: Sequence[Sample]) -> list[tuple[float, float]]:
    """Relative errors of time and memory of each sample by a calibration from the others.

    A single sample has no others, and no error is known.
    """
    errors = []
    for number, one in enumerate(found) if len(found) > 1 else ():
        made = calibrate([*found[:number], *found[number + 1 :]])
        errors.append(
            (
                abs(expected_seconds(one, made.time) / one.seconds - 1),
                abs(expected_bytes(one, made.memory, 1) / one.peak_bytes - 1),
            )
        )
    return errors


def expected_seconds(one: Sample, factors: TimeFactors) -> float:
    """Seconds of a sample by factors."""
    steps = (
        one.work["operations"] * factors.per_operation
        + one.work["traffic"] * factors.per_byte
        + one.work["calls"] * factors.per_call
    )
    return steps + factors.once + one.work["loaded"] / LOADED_BYTES_S


def expected_bytes(one: Sample, factors: MemoryFactors, bound: int) -> float:
    """Peak of a sample by factors; `bound` is 0 for low, 1 for expected, 2 for high."""
    activations = one.parts.get("activations", 0.0)
    return (
        one.parts["counted"] + factors.libraries[bound] + activations * factors.activations[bound]
    )


def _sample(found: Mapping[str, Any]) -> Sample:
    parts = {name: part["expected"] for name, part in found["memory"]["parts"].items()}
    libraries = LIBRARIES[accelerator.look().backend][1]
    counted = sum(parts.values()) - parts.get("activations", 0.0) - libraries
    return Sample(
        work=found["work"],
        parts={"counted": counted, "activations": parts.get("activations", 0.0)},
        seconds=found["measured"]["seconds"],
        peak_bytes=found["measured"]["peak_memory_bytes"],
    )


def _time(found: Sequence[Sample]) -> TimeFactors:
    rows = [[*(one.work[key] for key in WORK), 1.0] for one in found]
    targets = [max(one.seconds - one.work["loaded"] / LOADED_BYTES_S, 0.1) for one in found]
    per_operation, per_byte, per_call, once = _fit(rows, targets, _own_rates())
    made = TimeFactors(per_operation, per_byte, per_call, once)
    ratios = [one.seconds / expected_seconds(one, made) for one in found]
    bounds = (min(0.8, min(ratios) / MARGIN), 1.0, max(1.25, max(ratios) * MARGIN))
    return TimeFactors(per_operation, per_byte, per_call, once, bounds)


def _own_rates() -> tuple[float, float, float, float]:
    """Seconds of an operation, a byte and a call on this machine, and of what happens once."""
    machine = hardware.find(hardware.THIS_MACHINE)
    rate = machine.tflops.float32 * 1e12 * machine.achievable.expected
    return (1 / rate, 1 / (machine.bandwidth_gb_s * 1e9), LAYER_CALL_S[machine.backend], ONCE_S)


def _memory(found: Sequence[Sample]) -> MemoryFactors:
    prior = (float(LIBRARIES[accelerator.look().backend][1]), ACTIVATION_BOUNDS[1])
    rows = [[1.0, one.parts["activations"]] for one in found]
    targets = [one.peak_bytes - one.parts["counted"] for one in found]
    libraries, activations = _fit(rows, targets, prior)
    missed = [t - libraries - a * activations for t, (_one, a) in zip(targets, rows, strict=True)]
    below, above = min(0.0, *missed) * MARGIN, max(0.0, *missed) * MARGIN
    spare = 0.05 * libraries
    return MemoryFactors(
        libraries=(max(0.0, libraries + below), libraries, libraries + above + spare),
        activations=(0.85 * activations, activations, 1.15 * activations),
    )


def _fit(
    rows: Sequence[Sequence[float]], targets: Sequence[float], prior: Sequence[float]
) -> list[float]:
    """Rates with the least squared relative error, near `prior` by their logarithms."""
    import numpy
    from scipy.optimize import least_squares

    parts = numpy.array(rows) * numpy.array(prior) / numpy.array(targets)[:, None]

    def errors(logarithms: Any) -> Any:
        missed = parts @ numpy.exp(logarithms) - 1
        return numpy.concatenate([missed, RIDGE**0.5 * logarithms])

    found = least_squares(errors, numpy.zeros(len(prior)), bounds=(-FARTHEST, FARTHEST)).x
    return [float(rate * factor) for rate, factor in zip(prior, numpy.exp(found), strict=True)]
