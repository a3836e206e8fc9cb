"""`foundry launch`: write the job that trains a recipe on a cluster, and hand it in if asked."""

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from foundry.cli.options import RUNS, Consent, Override, Recipe, Runs, Terms, consent
from foundry.cli.output import Json, Set, note, print_json, verb_app, with_example
from foundry.core import atomic, secrets
from foundry.core.errors import Problem, RecipeError, ResourceError
from foundry.core.language import gettext as _
from foundry.core.language import language

if TYPE_CHECKING:
    from foundry.planning.jobs.job import ClusterJob, Wanted

Given = tuple["Wanted", list[str]]

app = verb_app(_("Write the job that trains a recipe on a cluster."))

To = Annotated[
    Literal["slurm", "kubernetes"], typer.Option("--to", help=_("What schedules the jobs."))
]
On = Annotated[
    str,
    typer.Option("--on", metavar="DEVICE", help=_("What each node has, of configs/hardware.")),
]
Gpus = Annotated[int | None, typer.Option("--gpus", min=0, help=_("GPUs of the node."))]
Cores = Annotated[int | None, typer.Option("--cores", min=1, help=_("Processor cores."))]
MemoryGib = Annotated[
    int | None, typer.Option("--memory", metavar="GIB", min=1, help=_("Memory of the computer."))
]
Hours = Annotated[
    float | None, typer.Option("--hours", min=0.1, help=_("Time limit; it goes on after it."))
]
Image = Annotated[
    str | None, typer.Option("--image", help=_("Kubernetes: the container image with foundry."))
]
Claim = Annotated[
    str | None,
    typer.Option("--claim", help=_("Kubernetes: the volume claim with the working folder.")),
]
Out = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", help=_("Where to write it; else stdout."))
]
Submit = Annotated[bool, typer.Option("--submit", help=_("Hand it to sbatch or kubectl."))]


@app.command(
    help=with_example(
        _("Write a job file that goes on after a preemption; hand it in with --submit."),
        "launch retail/customer-service --to slurm --on h100-80g",
    )
)
def launch(
    recipe: Recipe,
    to: To,
    on: On = "this-machine",
    gpus: Gpus = None,
    cores: Cores = None,
    memory: MemoryGib = None,
    hours: Hours = None,
    image: Image = None,
    claim: Claim = None,
    set: Set = None,
    accept_terms: Terms = None,
    override: Override = None,
    runs: Runs = RUNS,
    out: Out = None,
    submit: Submit = False,
    json: Json = False,
) -> int:
    """Plan the training for a device of the cluster, and write the job that does it."""
    from foundry.planning.jobs.job import Wanted, as_document

    wanted = Wanted(gpus, cores, memory, hours, image, claim)
    terms, overrides = consent(accept_terms, override), tuple(set or ())
    options = [word for one in overrides for word in ("--set", one)]
    options += [word for name in terms.accepted for word in ("--accept-terms", name)]
    options += ["--override", override] if override is not None else []
    options += ["--runs", runs.as_posix()]
    _refuse_tokens(image, claim, *options)
    job = _planned(recipe, overrides, on, terms, (wanted, options))
    text, suffix, command = _written(job, to, wanted)
    if out is None and submit:
        out = Path(f"{job.name}.{suffix}")
    if out is not None:
        atomic.write_text(out, text)
    handed_in = _submit(command, out) if submit and out is not None else None
    if json:
        told = {"to": to, "file": out.as_posix() if out else None, "submitted": handed_in}
        print_json({**told, "job": as_document(job), "text": text})
    elif out is None:
        print(text, end="")
    else:
        note(_("written: {path}").format(path=out))
        print(handed_in if handed_in is not None else _by_hand(command, out))
    return 0


def _planned(
    recipe: str, overrides: tuple[str, ...], on: str, terms: Consent, given: Given
) -> "ClusterJob":
    """The job of a recipe; refuses here what would be refused there after a night in the queue."""
    from foundry.core.load import load_recipe
    from foundry.planning import cost, fit, hardware
    from foundry.planning.jobs.job import as_there, job_of
    from foundry.planning.preview import preview

    loaded, device = load_recipe(recipe, overrides), hardware.find(on)
    there = load_recipe(recipe, (*overrides, *as_there(loaded, device, given[0])))
    rates = cost.rates(device, hardware.load_prices())
    made = preview(there, device, rates, terms.accepted, terms.override)
    if not made.forecast.fits:
        raise fit.too_large(made.forecast, made.edits, device.title.text(language()))
    return job_of(loaded, device, made.forecast, *given)


def _written(job: "ClusterJob", to: str, wanted: "Wanted") -> tuple[str, str, tuple[str, ...]]:
    """The text of a job, the ending of its file and the command that hands it in."""
    from foundry.planning.jobs import kubernetes, slurm

    if to == "slurm":
        return slurm.write(job), slurm.SUFFIX, slurm.COMMAND
    return kubernetes.write(job, wanted), kubernetes.SUFFIX, kubernetes.COMMAND


def _refuse_tokens(*words: str | None) -> None:
    """A job file is kept and shown to others: nothing secret may stand in it (C78)."""
    if any(secrets.find(word) for word in words if word):
        what = _("an access token stands here")
        raise RecipeError(Problem("foundry launch", what, _("give it to the job's environment")))


def _submit(command: tuple[str, ...], path: Path) -> str:
    """Hand the file in; what the scheduler answered.

    Raises:
        ResourceError: Its program is not here, or refuses the file.
    """
    program = shutil.which(command[0])
    if program is None:
        what = _("`{program}` is not on this machine").format(program=command[0])
        fix = _("copy {path} to where it is, and run there: {line}")
        line = _by_hand(command, path)
        raise ResourceError(Problem("--submit", what, fix.format(path=path, line=line)))
    words = [program, *command[1:], str(path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        what = _("{program} refuses the job ({detail})")
        detail = secrets.mask((done.stderr or done.stdout).strip())
        raise ResourceError(Problem(str(path), what.format(program=command[0], detail=detail)))
    return done.stdout.strip()


def _by_hand(command: tuple[str, ...], path: Path) -> str:
    return " ".join([*command, str(path)])
