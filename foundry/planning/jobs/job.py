"""What a scheduler must give a training: processors, memory, time, and the command to run there."""

import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foundry.core import shipped
from foundry.core.atomic import fingerprint
from foundry.core.errors import FoundryError, Problem, RecipeError
from foundry.core.language import gettext as _
from foundry.core.load import LoadedRecipe
from foundry.core.sizes import GIB
from foundry.data.places import require_inputs
from foundry.models.names import folder_of_base
from foundry.planning.accelerator import look
from foundry.planning.estimate.stored import weight_bytes
from foundry.planning.forecast import Forecast
from foundry.planning.hardware import THIS_MACHINE, Device
from foundry.planning.processes import contradictions, largest_share, room
from foundry.planning.teachers import teacher_name

# A DNS label, and room for what JobSet hangs on it: `-node-0-0-` and five letters of a pod.
LONGEST_NAME, NAME_HASH = 48, 8
# Rows are encoded in a process for each core; four are what a lent machine has for a GPU at least.
CORES = 4
# Ours: encoding, evaluation and exports, which the forecast of the training leaves out, and the
# start of Python with the base model. A job that is stopped at its limit goes on where it was.
BESIDE_S = 3600
# What Python, torch and a reader of rows take of the computer's own memory beside the weights.
HOST_BYTES = 8 * GIB
# Ours: a stop is granted between two steps and the state is saved then; writing it takes seconds.
LEAST_NOTICE_S, SAVING_S = 120, 60
# Ours: a job that is stopped so often has a limit too short for one checkpoint.
MOST_RESTARTS = 50


@dataclass(frozen=True)
class Wanted:
    """What the user says; None leaves it to the plan."""

    gpus: int | None = None
    cores: int | None = None
    memory_gib: int | None = None
    hours: float | None = None
    image: str | None = None
    claim: str | None = None


@dataclass(frozen=True)
class ClusterJob:
    """One training as a scheduler runs it.

    Attributes:
        name: A DNS label.
        command: The words of the command line.
        folder: Where it runs.
        gpus, cores, memory_gib: What the machine must have; none where `gpus` is 0.
        minutes: After which it is stopped, and goes on in another job.
        notice_s: Seconds between the request to stop and the end.
        reasons: Where each of these is from, by name.
        outside: Files and folders that the recipe names and that do not lie in `folder`.
    """

    name: str
    command: tuple[str, ...]
    folder: str
    gpus: int
    cores: int
    memory_gib: int
    minutes: int
    notice_s: int
    reasons: dict[str, str]
    outside: tuple[str, ...] = ()


def as_there(loaded: LoadedRecipe, device: Device, wanted: Wanted) -> tuple[str, ...]:
    """By which settings a recipe is planned on as many processes as will train it there.

    On a device like this machine's, and more of them than this has, as one process.

    Raises:
        RecipeError: Fewer GPUs than the recipe has processes.
    """
    gpus, _why = _gpus(loaded, device, wanted)
    size = _processes(loaded, gpus)
    if device.name == THIS_MACHINE and size > room(look()):
        return ("compute.processes=1", "compute.strategy=single")
    return (f"compute.processes={size}",)


def job_of(
    loaded: LoadedRecipe, device: Device, made: Forecast, wanted: Wanted, options: Sequence[str]
) -> ClusterJob:
    """The job of a recipe.

    Args:
        loaded: A checked recipe.
        device: What each GPU of the cluster is, or its processor.
        made: What the training takes there.
        wanted: What the user says himself.
        options: Further words of `foundry train`.

    Raises:
        RecipeError: Fewer GPUs or cores than the recipe has processes, or processes that cannot
            share it.
    """
    gpus, why = _gpus(loaded, device, wanted)
    _refuse_contradictions(loaded)
    size = _processes(loaded, gpus)
    _refuse_cores(device, wanted, size)
    step_s = made.seconds.high / max(1, made.job.steps)
    minutes = math.ceil((made.seconds.high + BESIDE_S) / 60)
    cores, memory = max(CORES * max(1, gpus), size), _host_gib(made, device, size)
    bound = _("the plan's upper bound on {device}")
    longer = _("the plan's upper bound on {device}, and an hour for what is beside it")
    reasons = {
        "gpus": why,
        "cores": _("{cores} for each GPU or processor, and one for each process").format(
            cores=CORES
        ),
        "memory_gib": bound.format(device=device.name),
        "minutes": longer.format(device=device.name),
    }
    given = {"cores": wanted.cores, "memory_gib": wanted.memory_gib, "minutes": wanted.hours}
    reasons |= {key: _("as you said") for key, value in given.items() if value is not None}
    return ClusterJob(
        name=label(loaded.recipe.name),
        command=("foundry", "train", _place(loaded), *options),
        folder=Path.cwd().as_posix(),
        gpus=gpus,
        cores=wanted.cores or cores,
        memory_gib=wanted.memory_gib or memory,
        minutes=minutes if wanted.hours is None else max(1, round(60 * wanted.hours)),
        notice_s=max(LEAST_NOTICE_S, math.ceil(2 * step_s) + SAVING_S),
        reasons=reasons,
        outside=tuple(sorted(_outside(loaded))),
    )


def label(name: str) -> str:
    """A recipe's name as a DNS label that clusters take: begins with a letter, ends with no hyphen.

    Kubeflow Trainer 2.3 asks for `^[a-z]([-a-z0-9]*[a-z0-9])?$` of both kinds of object.
    """
    made = name if name[0].isalpha() else f"r-{name}"
    if len(made) > LONGEST_NAME:
        made = f"{made[: LONGEST_NAME - NAME_HASH - 1]}-{fingerprint(name)[:NAME_HASH]}"
    return made.rstrip("-")


def as_document(job: ClusterJob) -> dict[str, Any]:
    """The job as `--json` prints it."""
    kept = ("name", "folder", "gpus", "cores", "memory_gib", "minutes", "notice_s", "reasons")
    return {"command": list(job.command), **{key: getattr(job, key) for key in kept}}


def _gpus(loaded: LoadedRecipe, device: Device, wanted: Wanted) -> tuple[int, str]:
    processes = loaded.recipe.compute.processes
    if device.backend == "cpu":
        return wanted.gpus or 0, _("the device is a processor")
    if wanted.gpus == 0:
        what = _("the plan is for {device}, and no GPU is asked for").format(device=device.name)
        raise RecipeError(Problem("--gpus", what, "--gpus 1"))
    if processes == "auto":
        said = _("one process; `--gpus` asks for more") if wanted.gpus is None else _("as you said")
        return 1 if wanted.gpus is None else wanted.gpus, said
    if wanted.gpus is not None and wanted.gpus < processes:
        what = _("{gpus} GPUs are fewer than the recipe has processes ({processes})")
        fix = _("ask for `--gpus {processes}`, or set `compute.processes: auto`")
        values = {"gpus": wanted.gpus, "processes": processes}
        raise RecipeError(Problem("--gpus", what.format(**values), fix.format(**values)))
    return wanted.gpus or processes, _("`compute.processes` of the recipe")


def _processes(loaded: LoadedRecipe, gpus: int) -> int:
    """How many processes will train it there."""
    size = loaded.recipe.compute.processes
    return largest_share(loaded, gpus) if size == "auto" else size


def _refuse_cores(device: Device, wanted: Wanted, size: int) -> None:
    """On a processor each process needs a core."""
    if device.backend == "cpu" and wanted.cores is not None and wanted.cores < size:
        what = _("{cores} cores are fewer than the recipe has processes ({processes})")
        fix = f"--cores {size}"
        raise RecipeError(Problem("--cores", what.format(cores=wanted.cores, processes=size), fix))


def _outside(loaded: LoadedRecipe) -> Iterator[str]:
    """What a recipe reads that lies neither here nor in the program itself."""
    recipe, folder = loaded.recipe, loaded.path.parent
    names = [recipe.base_model, teacher_name(loaded), *recipe.evaluation.references]
    read = [folder / text for text in recipe.package.licence_texts.values()]
    for name in filter(None, names):
        with suppress(FoundryError):  # one that is there alone
            read += [found] if (found := folder_of_base(name, folder)) else []
    inside = Path.cwd().resolve(), shipped.root().resolve()
    for path in (*require_inputs(loaded).values(), *read):
        if not any(path.resolve().is_relative_to(one) for one in inside):
            yield str(path)


def _refuse_contradictions(loaded: LoadedRecipe) -> None:
    """What no machine could do is refused before the job waits in a queue."""
    block = loaded.recipe.compute
    if block.processes == "auto":
        return
    usual = "single" if block.processes == 1 else "ddp"
    strategy = usual if block.strategy == "auto" else block.strategy
    wrong = list(contradictions(loaded, block.processes, strategy))
    if wrong:
        raise RecipeError(wrong)


def _host_gib(made: Forecast, device: Device, size: int) -> int:
    """The computer's own memory: all of it trains on a processor; else weights are read through.

    Processes that hold the model in parts each read all of it first (`sharding.where_to_load`);
    the file's own pages are there once. A forecast may be of one process where `size` will train.
    """
    if device.backend == "cpu":
        return math.ceil(made.memory.total.high * size / GIB) + 1
    copies = size if made.job.is_sharded or made.job.processes < size else 1
    return math.ceil((weight_bytes(made.job) * (copies + 1) + HOST_BYTES * size) / GIB)


def _place(loaded: LoadedRecipe) -> str:
    """The recipe as the command names it: a shipped one by name, one here relative to here."""
    path, ours = loaded.path.resolve(), (shipped.root() / "recipes").resolve()
    if path.is_relative_to(ours):
        return path.relative_to(ours).with_suffix("").as_posix()
    here = Path.cwd().resolve()
    return (path.relative_to(here) if path.is_relative_to(here) else path).as_posix()
