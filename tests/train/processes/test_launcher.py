"""Which process ended a run is told from what each of them left, not from torchrun's code."""

from pathlib import Path
from typing import Any

import pytest

from foundry.core.errors import (
    DataError,
    FoundryError,
    InterruptedByUser,
    InterruptedRun,
    Problem,
    ResourceError,
)
from foundry.core.rundir import RunDir
from foundry.train.processes import launcher
from foundry.train.signals import StopRequest
from tests.cases import case, change

LOST = {"error": "lost", "problems": [{"where": "", "what": "LostOthers: gone", "fix": None}]}
BROKEN = DataError(Problem("train", "the loss is not finite", "lower the rate")).as_dict()
BUG = FoundryError(Problem("", "KeyError: 'x'")).as_dict()
STOPPED = StopRequest(15).interrupted(3, 9).as_dict()


def ended(rank: int, code: int) -> dict[str, int]:
    return {"rank": rank, "pid": 70 + rank, "exit": code}


def why(reports: list[Any], failures: list[Any], signal: int | None = None) -> FoundryError:
    return launcher._error(reports, failures, StopRequest(signal), RunDir(Path("runs/a")))


def first_of_all(reports: Any, failures: Any, stop: Any, run: Any) -> FoundryError:
    """Believe what torchrun saw first."""
    return launcher._killed(failures[0], run.file("log.txt"))


@case("C72", {"torchrun is believed": change(launcher, "_error", first_of_all)})
def test_process_that_failed_is_named_and_not_the_one_it_took_along():
    error = why([LOST, BROKEN], [ended(0, 1), ended(1, 1)])

    assert isinstance(error, DataError)
    assert str(error) == "train: rank 1: the loss is not finite\n  fix: lower the rate"


def test_killed_process_is_named_with_its_signal():
    error = why([LOST, None], [ended(0, 1), ended(1, -9)])

    assert isinstance(error, ResourceError)
    assert "rank 1 (process 71) was ended by SIGKILL; the others were stopped" in str(error)
    assert "run the same command again to go on" in str(error)


def test_fault_of_ours_names_rank_and_log():
    error = why([BUG, LOST], [ended(1, 1), ended(0, 1)])

    assert error.exit_code == FoundryError.exit_code
    assert str(error) == (
        "train: rank 0: KeyError: 'x'\n  fix: report it with the file runs/a/.crew/log.txt"
    )


@pytest.mark.parametrize(("signal", "kind"), [(15, InterruptedRun), (2, InterruptedByUser)])
def test_stop_that_was_asked_for_is_no_failure(signal: int, kind: type[InterruptedRun]):
    error = why([STOPPED, STOPPED], [], signal)

    assert type(error) is kind
    assert "stopped after step 3 of 9; the state is saved" in str(error)


def test_stop_before_the_first_step_saved_nothing():
    error = why([None, None], [ended(0, -15), ended(1, -15)], 15)

    assert str(error) == "train: stopped by a signal\n  fix: run the same command again to go on"


def test_signal_to_a_worker_stops_all():
    assert type(why([STOPPED, STOPPED], [])) is InterruptedRun


def test_signal_that_came_after_the_result_stops_the_run_all_the_same():
    run, reports = RunDir(Path("runs/a")), [{"result": {"warnings": []}}, None]

    with pytest.raises(InterruptedRun, match="stopped by a signal"):
        launcher._outcome(reports, [], StopRequest(15), run)
