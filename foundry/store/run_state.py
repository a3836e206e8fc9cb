"""How far a run has come: who works on it, or how it ended."""

from dataclasses import dataclass
from typing import Literal

from foundry.core.records import Record
from foundry.core.rundir import STAGES
from foundry.store.runs import Json, Run

Kind = Literal["running", "done", "failed", "interrupted", "planned"]


@dataclass(frozen=True)
class State(Record):
    """The state of a run.

    Attributes:
        kind: `running` while a process holds it; `done` when the last command came to its end;
            `failed` where a stage refused or crashed; `interrupted` by a signal, a kill or a power
            cut; `planned` where nothing was begun after the plan.
        stage: The stage in work, or that failed or was interrupted; the last one of what is done,
            in this command or an earlier one.
        pid: Of the process that holds it.
        problem: Why it failed.
    """

    kind: Kind
    stage: str | None = None
    pid: str | None = None
    problem: str | None = None


def state(run: Run) -> State:
    """The state of a run by its lock and the last events of its log."""
    begun = next((event for event in reversed(run.events) if _is_of_a_stage(event)), None)
    stage = None if begun is None else str(begun["stage"])
    pid = run.dir.holder()
    if pid is not None:
        return State("running", stage, pid)
    if begun is None:
        return State("planned" if run.stamps else "interrupted")
    if begun["event"] == "begin":  # and nothing after: killed
        return State("interrupted", stage)
    if begun["event"] == "failed":
        if begun.get("error") == "interrupted":
            return State("interrupted", stage)
        return State("failed", stage, problem=_problem(begun))
    return State("done", list(run.stamps)[-1] if run.stamps else stage)


def _is_of_a_stage(event: Json) -> bool:
    """Whether an event begins or ends a stage; with a `name` it is of one artefact in it."""
    is_told = event.get("event") in ("begin", "end", "skipped", "failed")
    return is_told and event.get("stage") in STAGES and "name" not in event


def _problem(failed: dict[str, object]) -> str | None:
    problems = failed.get("problems")
    if not isinstance(problems, list) or not problems or not isinstance(problems[0], dict):
        return None
    first = problems[0]
    return ": ".join(str(first[key]) for key in ("where", "what") if first.get(key))
