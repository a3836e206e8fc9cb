"""One of the processes that train a plan together: `-m foundry.train.processes.worker plan.json`.

It is started by `agent.py` and reads nothing but the plan and what its run directory holds. Before
it trains, the processes tell each other what they found, and go on only where that is what the plan
says (C72). The first writes what happens to its standard output, an event a line; each says in
`.crew/rank-N.json` of the run how it ended. Its standard input is the hold of the process that
began the run: when it closes, the state is saved and training stops.
"""

import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any, TextIO

from foundry.core import atomic, plugins
from foundry.core.environment import cores
from foundry.core.errors import DataError, InterruptedRun, Problem, ProofError, told
from foundry.core.events import Event, Events, as_line
from foundry.core.language import gettext as _
from foundry.core.records import BaseModel, Plan
from foundry.core.rundir import RunDir
from foundry.models.quiet import quiet

FOLDER = ".crew"
LOST = "lost"  # the end of a process whose others are gone
# What torchrun tells a process; accelerate, which reads the same, is told nothing (`crew.py`).
TOLD = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")


def main(arguments: list[str]) -> int:
    """Train the plan whose file is named; 0 also where training was stopped, 1 where it failed."""
    plan_file, rank = Path(arguments[0]), int(os.environ["RANK"])
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no event
    threading.Thread(target=_stop_when_let_go, daemon=True).start()
    said = ended(plan_file, events_to(out, is_first=rank == 0))
    atomic.write_json(report(RunDir(plan_file.parent), rank), said)
    return 0 if said["error"] in (None, InterruptedRun.kind) else 1


def ended(plan_file: Path, events: Events) -> dict[str, Any]:
    """Train; how it ended, as `report` keeps it."""
    try:
        return {"error": None, "result": train(plan_file, events)}
    except InterruptedRun as error:
        return error.as_dict()
    except BaseException as error:  # who began the run tells a person
        sys.excepthook(*sys.exc_info())
        from foundry.train.processes.crew import is_loss

        return told(error) | ({"error": LOST} if is_loss(error) else {})


def report(run: RunDir, rank: int) -> Path:
    """Where a process says how it ended."""
    return run.file(FOLDER, f"rank-{rank}.json")


def _stop_when_let_go() -> None:
    """Ask ourselves to save and stop when standard input closes."""
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def events_to(out: TextIO, *, is_first: bool) -> Events:
    """Events that the first process writes, a line each; those of the others nobody hears."""

    def write(event: Event) -> None:
        out.write(as_line(event) + "\n")
        out.flush()

    return Events([write] if is_first else [])


def train(plan_file: Path, events: Events) -> dict[str, Any]:
    """Agree with the others on what is trained, and train; the result as plain values.

    Raises:
        DataError, ProofError: Another plan, data or number of processes than the plan's.
    """
    place = {name: int(os.environ.pop(name)) for name in TOLD}
    _take_card(place["LOCAL_RANK"])
    with quiet():
        import torch

        from foundry.train.assemble import assemble
        from foundry.train.processes.crew import joined
    plan, run = read_plan(plan_file), RunDir(plan_file.parent)
    torch.set_num_threads(max(1, cores() // place["LOCAL_WORLD_SIZE"]))
    with joined(place["RANK"], place["WORLD_SIZE"], plan.resolved["strategy"]) as crew:
        check_agreed(crew.heard(found(plan, run, place["WORLD_SIZE"])), plan)
        inputs, settings = assemble(plan, _material(plan, run), run, events, crew)
        check_held(inputs.model, plan.resolved["strategy"])
        fitted = plugins.load("trainer", plan.values["train"]["kind"]).fit(inputs, settings)
        result: dict[str, Any] = fitted.as_dict()
        return result


def _material(plan: Plan, run: RunDir) -> Any:
    """What is learned from."""
    from foundry.encode.shards import read_shards
    from foundry.encode.tokenize import open_encoder
    from foundry.train.material import material_of, stamped

    encoder = open_encoder(plan.base, plan.values["encode"]["system"])
    rows = read_shards(run.file("data", "shards", stamped(run, "encode")["file"]))
    return material_of(plan, run, encoder, rows)


def _take_card(number: int) -> None:
    """See one GPU alone, that of our number, which is torch's first then."""
    seen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if seen != "":
        cards = seen.split(",") if seen else []
        os.environ["CUDA_VISIBLE_DEVICES"] = cards[number] if cards else str(number)


def read_plan(path: Path) -> Plan:
    """The plan as the stage `plan` wrote it."""
    values = json.loads(path.read_text(encoding="utf-8"))
    return Plan(base=BaseModel(**values.pop("base")), **values)


def found(plan: Plan, run: RunDir, size: int) -> dict[str, Any]:
    """What a process found where it is: what all must have found, by name."""
    from foundry.models.fetch import weights_sha256
    from foundry.train.material import files_of, teacher_of

    teacher, files = teacher_of(plan), files_of(plan, run)
    return {
        "plan": plan.fingerprint,
        "base": weights_sha256(Path(plan.base.folder)),
        "teacher": None if teacher is None else teacher.sha256,
        "processes": size,
        "rows": [atomic.sha256(file) for file, _expected in files],
        "expected_rows": [expected for _file, expected in files],
    }


def check_agreed(said: list[dict[str, Any]], plan: Plan) -> None:
    """Go on only if each process found what the plan says, and all the same. C72.

    Raises:
        ProofError: Another number of processes, or another plan or base; names the ranks.
        DataError: The rows of some are not those that were encoded; names the ranks.
    """
    size = plan.resolved["world_size"]
    if {one["processes"] for one in said} | {len(said)} != {size}:
        what = _("planned for {planned} processes, and there are {found}")
        raise ProofError(Problem("compute.processes", what.format(planned=size, found=len(said))))
    for key in ("plan", "teacher"):
        if others := _unlike([one[key] for one in said], said[0][key]):
            what = _("{ranks} read another {key} than rank 0").format(ranks=_ranks(others), key=key)
            raise ProofError(Problem("train", what, _("give every process the same folders")))
    if others := _unlike([one["base"] for one in said], plan.base.sha256):
        what = _("{ranks} read another base model than the plan's").format(ranks=_ranks(others))
        raise ProofError(Problem("train", what, _("give every process the same folders")))
    if others := [rank for rank, one in enumerate(said) if one["rows"] != one["expected_rows"]]:
        what = _("the encoded rows that {ranks} read are not those that were written")
        fix = _("remove the run's `data/shards` there, and run the same command again")
        raise DataError(Problem("data/shards", what.format(ranks=_ranks(others)), fix))
    if others := _unlike([one["rows"] for one in said], said[0]["rows"]):
        what = _("{ranks} read other encoded rows than rank 0").format(ranks=_ranks(others))
        raise DataError(Problem("data/shards", what, _("give every process the same folders")))


def check_held(model: Any, strategy: str) -> None:
    """Go on only if the processes hold the model as the plan says. C72.

    Raises:
        ProofError: They do not, as where a library took another way without a word.
    """
    from torch.distributed.tensor import DTensor

    is_sharded = any(isinstance(parameter, DTensor) for parameter in model.parameters())
    held = "fsdp2" if is_sharded else "ddp"
    # DeepSpeed takes over an optimizer, and looks by itself when there is one (`zero.py`).
    if held != {"deepspeed": "ddp"}.get(strategy, strategy):
        what = _("the plan's strategy is `{planned}`, and the model is held as in `{found}`")
        what = what.format(planned=strategy, found=held)
        raise ProofError(Problem("compute.strategy", what))


def _unlike(values: list[Any], first: Any) -> list[int]:
    return [rank for rank, value in enumerate(values) if value != first]


def _ranks(numbers: list[int]) -> str:
    return ", ".join(_("rank {number}").format(number=number) for number in numbers)


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stderr.flush()
    os._exit(code)  # threads of a group whose others are gone would be waited for
