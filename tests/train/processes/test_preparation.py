"""C72: rows are prepared before there is anybody to wait, however long that takes."""

import os
import time
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from foundry.stages import runners
from foundry.train.processes import crew, worker
from tests import crew_run
from tests.cases import case, change
from tests.faults import small
from tests.train.processes.test_processes import HEALTHY, TWO, in_turn

# The case has 5 s and 2 s; a machine with other work may bring a process two seconds late.
SLOW_S, LIMIT = 10, timedelta(seconds=5)
write_shards, read_material = runners._shards, worker._material


def slowly(way: Any, name: str) -> Any:
    """As where there are many rows."""
    time.sleep(SLOW_S)
    return write_shards(way, name)


def impatient(rank: int) -> None:
    """Whoever waits longer than `LIMIT` gives up."""
    crew.LIMIT = LIMIT


def among_others(rank: int) -> None:
    """The first process prepares its rows when the other waits already."""

    def material(plan: Any, run: Any) -> Any:
        time.sleep(SLOW_S)
        return read_material(plan, run)

    if rank == 0:
        worker._material = material


@case("C72", {"rows are prepared by who trains": change(crew_run, "fault", among_others)})
def test_nobody_waits_for_rows_that_are_prepared_slowly(tiny_base: Path, tmp_path: Path):
    made = small.lay_out(tmp_path / os.urandom(4).hex(), tiny_base, **crew_run.STEPS)
    faults = [impatient] if crew_run.fault is HEALTHY else [impatient, crew_run.fault]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runners, "_shards", slowly)
        patch.setattr(crew_run, "fault", partial(in_turn, faults))
        began = time.monotonic()
        small.again(made, "--until", "encode", *TWO)
        ended = crew_run.train([made.run, made.run])

    assert time.monotonic() - began > SLOW_S
    assert [one.get("error") for one in ended] == [None, None], ended
