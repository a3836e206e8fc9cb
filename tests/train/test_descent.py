"""A run whose loss rose says so: no proof sees a rate that is far too high."""

from pathlib import Path

import pytest

from foundry.core.events import Event
from foundry.train import descent
from foundry.train.adapters import full
from foundry.train.trainers import sft
from tests.tiny_run import Setup, fast, open_run

STEPS = 20
BROKEN = [4.4, 4.9, 41.9, *[9.0] * 13, 8.4, 7.8, 7.4, 8.1]  # as LoRA+ broke Gemma 3 270M


@pytest.mark.parametrize(
    ("losses", "is_warned"),
    [
        (BROKEN, True),
        ([*BROKEN[:3], *[9.0] * 17, *BROKEN[-10:]], True),  # the peak in the first tenth
        ([*BROKEN[:16], 4.0, 3.0, 3.5, 3.2], False),  # found its way back
        ([2.0, 2.0, *[1.0] * 14, 1.4, 1.8, 2.2, 2.6], False),  # as far as its spread can tell
        ([2.0] * 20, False),
        ([2.0, 3.0, *[2.5] * 14, 3.2, 1.8, 3.0, 2.4], False),
        (BROKEN[:19], False),  # too few steps to tell
    ],
)
def test_last_fifth_is_set_beside_the_first_two(losses: list[float], is_warned: bool):
    assert (descent.warning(losses) is not None) == is_warned


AT_ONCE = {"schedule": "constant", "warmup_ratio": 0.0}


@pytest.mark.parametrize(("rate", "is_warned"), [(0.1, False), (1.0, True)])
def test_run_tells_and_records_it(tiny_llama: Path, tmp_path: Path, rate: float, is_warned: bool):
    heard = list[Event]()
    inputs = open_run(
        Setup(tiny_llama, STEPS, adapter=full.Spec(), method=full), tmp_path, heard.append
    )

    result = sft.fit(inputs, fast(STEPS, learning_rate=rate, **AT_ONCE))

    told = [event for event in heard if event.get("code") == descent.ROSE]
    recorded = [one for one in result.warnings if one["code"] == descent.ROSE]
    assert len(told) == len(recorded) == is_warned
    if is_warned:
        (found,) = recorded
        assert found["after"] > found["before"] and found["last_steps"] == 4
