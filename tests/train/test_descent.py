"""A run whose loss did not fall says so: no proof sees a rate that is far too high."""

from pathlib import Path

import pytest

from foundry.core.events import Event
from foundry.train import descent
from foundry.train.adapters import full
from foundry.train.trainers import sft
from tests.tiny_run import Setup, fast, open_run

STEPS = 12


@pytest.mark.parametrize(
    ("losses", "is_warned"),
    [
        ([2.0] * 10, True),  # nothing learned
        ([2.0, *[1.0] * 9], False),
        ([2.0, *[1.0] * 7, 2.0, 2.0], True),  # forgotten again
        ([2.0, *[9.0] * 7, 1.9, 1.9], False),  # found its way back
        ([2.0, 3.0, *[1.0] * 14, *[2.9] * 4], False),  # below the highest of the first two
        ([2.0, 3.0, *[1.0] * 14, *[3.1] * 4], True),
        ([2.0] * 9, False),  # too few steps to tell
    ],
)
def test_last_fifth_is_set_beside_the_first_tenth(losses: list[float], is_warned: bool):
    assert (descent.warning(losses) is not None) == is_warned


@pytest.mark.parametrize(("rate", "is_warned"), [(0.1, False), (1.0, True)])
def test_run_tells_and_records_it(tiny_llama: Path, tmp_path: Path, rate: float, is_warned: bool):
    heard = list[Event]()
    inputs = open_run(
        Setup(tiny_llama, STEPS, adapter=full.Spec(), method=full), tmp_path, heard.append
    )

    result = sft.fit(inputs, fast(STEPS, learning_rate=rate, schedule="constant"))

    told = [event for event in heard if event.get("code") == descent.NO_DESCENT]
    recorded = [one for one in result.warnings if one["code"] == descent.NO_DESCENT]
    assert len(told) == len(recorded) == is_warned
    if is_warned:
        (found,) = recorded
        assert found["mean"] >= found["highest"] and found["last_steps"] == 2
