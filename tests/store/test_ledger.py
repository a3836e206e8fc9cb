"""The ledger counts all work once, also what was lost, and what is not known is not zero."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from foundry.core.energy import Meter
from foundry.core.errors import DataError, InterruptedByUser, InterruptedRun, Problem
from foundry.core.events import Events
from foundry.store.ledger import NAME, WRITE_EVERY_S, Charges, document, recorded
from foundry.store.run_clean import clean
from tests.core.test_energy import count
from tests.store.made_runs import make

CHARGES = Charges(
    flops_per_token=4e12,
    flops_per_target=2e12,
    watts=360.0,
    watts_from="assumed",
    twd_per_kwh=4.0,
    price_from="a bill",
)
TOKENS, TARGETS = 100, 10  # of each step


@dataclass
class Training:
    """A training that tells its steps to the ledger; a second passes with each."""

    folder: Path
    run: str = "shop-1a2b3c4d"
    charges: Charges = CHARGES
    now: float = 1000.0
    meter: Meter = field(default_factory=lambda: Meter(Path("/nowhere")))

    def go(
        self, first: int, last: int, *, seconds: float = 1.0, end: BaseException | None = None
    ) -> None:
        """Do steps `first` to `last`; raise `end` after them."""
        events = Events([])
        with recorded(
            self.folder, self.run, self.charges, events, meter=self.meter, clock=lambda: self.now
        ):
            if first > 1:
                events.emit("train", "resume", **self._counts(first - 1))
            for step in range(first, last + 1):
                self.now += seconds
                events.emit("train", "step", loss=1.0, **self._counts(step))
            if end is not None:
                raise end

    def _counts(self, step: int) -> dict[str, int]:
        return {"step": step, "tokens": step * TOKENS, "supervised_tokens": step * TARGETS}


def total(folder: Path) -> dict[str, Any]:
    """The sum of everything."""
    return dict(document(folder)["total"])


def test_amounts_are_those_of_the_steps(tmp_path: Path):
    Training(tmp_path).go(1, 10)

    found = total(tmp_path)
    assert (found["runs"], found["sessions"], found["steps"]) == (1, 1, 10)
    assert (found["tokens"], found["supervised_tokens"], found["seconds"]) == (1000, 100, 10.0)
    assert found["flops"] == 1000 * 4e12 + 100 * 2e12
    assert found["pflop_days"] == pytest.approx(4.2e15 / 1e15 / 86_400)
    assert found["kwh"] == pytest.approx(360 * 10 / 3.6e6)
    assert found["twd"] == pytest.approx(0.004)
    assert found["unknown"] == {}


@pytest.mark.parametrize(
    ("end", "outcome"),
    [
        (InterruptedRun(Problem("", "x")), "interrupted"),
        (InterruptedByUser(Problem("", "x")), "interrupted"),
        (KeyboardInterrupt(), "interrupted"),
        (DataError(Problem("", "x")), "failed"),
        (ZeroDivisionError("x"), "failed"),
    ],
)
def test_interrupted_and_failed_work_is_spent_and_a_resumed_run_counts_once(
    tmp_path: Path, end: BaseException, outcome: str
):
    training = Training(tmp_path)
    with pytest.raises(type(end)):
        training.go(1, 4, end=end)
    training.go(3, 10)  # the last checkpoint was of step 2

    lines = [json.loads(x) for x in (tmp_path / NAME).read_text(encoding="utf-8").splitlines()]
    found = total(tmp_path)
    assert [line["outcome"] for line in lines] == [outcome, "done"]
    assert (found["runs"], found["sessions"], found["steps"]) == (1, 2, 4 + 8)
    assert found["tokens"] == 12 * TOKENS


def test_killed_training_loses_a_minute_at_most(tmp_path: Path):
    events, now = Events([]), 0.0
    session = recorded(
        tmp_path, "shop-1", CHARGES, events, meter=Meter(tmp_path / "no"), clock=lambda: now
    )
    session.__enter__()  # and never left, as after kill -9
    for step in range(1, 5):
        now += WRITE_EVERY_S / 2
        counts = {"tokens": step * TOKENS, "supervised_tokens": step * TARGETS}
        events.emit("train", "step", step=step, **counts)

    found = total(tmp_path)
    assert (found["steps"], found["seconds"]) == (4, 2 * WRITE_EVERY_S)


def test_checkpoint_is_written_down_at_once(tmp_path: Path):
    events = Events([])
    with recorded(tmp_path, "shop-1", CHARGES, events):
        events.emit("train", "step", step=1, tokens=TOKENS, supervised_tokens=TARGETS)
        assert not (tmp_path / NAME).exists()
        events.emit("train", "checkpoint", step=1)
        assert total(tmp_path)["steps"] == 1


def test_runs_stand_apart_and_are_added_up(tmp_path: Path):
    Training(tmp_path, "a-1").go(1, 2)
    Training(tmp_path, "b-2").go(1, 3)

    found = document(tmp_path)
    assert [(one["run"], one["steps"]) for one in found["runs"]] == [("a-1", 2), ("b-2", 3)]
    assert (found["total"]["runs"], found["total"]["steps"]) == (2, 5)


def test_what_is_not_known_is_not_zero(tmp_path: Path):
    Training(tmp_path, charges=Charges(flops_per_token=4e12)).go(1, 2)

    found = total(tmp_path)
    assert (found["flops"], found["pflop_days"], found["kwh"], found["twd"]) == (None,) * 4
    assert found["unknown"] == {"flops": 1, "kwh": 1, "twd": 1}
    assert found["tokens"] == 2 * TOKENS


def test_sum_says_how_many_trainings_are_not_in_it(tmp_path: Path):
    Training(tmp_path, charges=Charges()).go(1, 2)
    Training(tmp_path).go(1, 2)

    found = total(tmp_path)
    assert found["kwh"] == pytest.approx(360 * 2 / 3.6e6)
    assert found["unknown"] == {"flops": 1, "kwh": 1, "twd": 1}


@pytest.mark.parametrize(
    ("is_metered", "joules", "origin"), [(True, 7.2, "meter"), (False, 720, "assumed")]
)
def test_meter_goes_before_the_assumption_where_it_sees_what_trains(
    tmp_path: Path, is_metered: bool, joules: float, origin: str
):
    count(tmp_path / "cap", "intel-rapl:0", 0)
    meter = Meter(tmp_path / "cap")
    count(tmp_path / "cap", "intel-rapl:0", 7_200_000)
    charges = Charges(watts=360.0, watts_from="assumed", is_metered=is_metered)

    Training(tmp_path, charges=charges, meter=meter).go(1, 2)

    (line,) = map(json.loads, (tmp_path / NAME).read_text(encoding="utf-8").splitlines())
    assert line["kwh"] == pytest.approx(joules / 3.6e6)
    assert line["kwh_from"] == origin


def test_torn_line_costs_only_itself(tmp_path: Path):
    Training(tmp_path).go(1, 2)
    whole = (tmp_path / NAME).read_text(encoding="utf-8")
    (tmp_path / NAME).write_text(whole + whole[:40], encoding="utf-8")

    Training(tmp_path).go(1, 3)

    assert total(tmp_path)["steps"] == 5


def test_ledger_that_cannot_be_written_stops_no_training(tmp_path: Path):
    (tmp_path / NAME).mkdir()

    Training(tmp_path).go(1, 2)

    assert document(tmp_path)["runs"] == []


def test_ledger_outlives_the_runs_and_their_cleaning(tmp_path: Path):
    run = make(tmp_path)
    Training(tmp_path).go(1, 2)
    before = (tmp_path / NAME).read_bytes()

    clean([run], remove=True)

    assert (tmp_path / NAME).read_bytes() == before


def test_trainings_that_shared_a_machine_are_charged_it_once_together(tmp_path: Path):
    half = replace(CHARGES, share=0.5)

    for run in ("a-1", "b-2"):
        Training(tmp_path, run, half).go(1, 10, seconds=360)

    assert total(tmp_path)["kwh"] == pytest.approx(0.36)  # an hour of 360 watts
    assert total(tmp_path)["seconds"] == 7200


@pytest.mark.parametrize(("share", "joules"), [(1.0, 7.2), (0.25, 1.8)])
def test_meter_of_a_shared_machine_is_shared_too(share: float, joules: float):
    assert replace(CHARGES, share=share).joules(7.2, 1.0) == (pytest.approx(joules), True)
    assert Charges().joules(None, 1.0) == (None, False)
