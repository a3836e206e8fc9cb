"""An artefact ends where the live model does, and where it was taught to (C36)."""

from dataclasses import replace
from typing import Any

import pytest

from foundry.core.rundir import RunDir
from foundry.delivery import parity
from foundry.delivery.parity import ended, reference
from foundry.runtime.contract import Generation
from tests.cases import case, change
from tests.delivery.shelf import Shelf

STOP = 9


@pytest.fixture(scope="module")
def untaught(llama_shelf: Shelf) -> Shelf:
    """As if the model, which ends every answer, had been trained on pairs."""
    trained = llama_shelf.trained
    live = reference(trained.tuned, trained.rows, teaches_end=False)
    counts = ended(trained.tuned, live)
    return Shelf(replace(trained, live=replace(live, ended=counts)), llama_shelf.on_gguf)


def never(_live: Any, _made: Any, _stops: Any) -> list[Generation]:
    """The fault: what no trainer taught need not end."""
    return []


@case("C36", {"what was not taught need not end": change(parity, "_to_end", never)})
def test_file_ends_every_answer_that_the_model_ends(untaught: Shelf, tmp_path: Any):
    made = untaught.make("gguf-f16", run=RunDir(tmp_path))

    assert made.parity["ended"] == {"tuned": 8, "base": 0, "prompts": 8, "tokens": 44}
    assert made.parity["stopped"] == made.parity["stop_prompts"] == 8


def said(*ids: int) -> Generation:
    return Generation(ids, "", ids[-1:] == (STOP,))


@pytest.mark.parametrize(
    ("wanted", "made", "must"),
    [
        (said(1, 2, STOP), said(1, 2, STOP), True),
        (said(1, 2, STOP), said(1, 2, 3, 4), True),
        (said(1, 2, STOP), said(1, 3, 4, 5), False),
        (said(1, 2, 3, 4), said(1, 2, 3, 4), False),
    ],
    ids=["alike", "goes on", "goes another way", "the model does not end either"],
)
def test_answer_that_was_not_taught_must_end_where_the_models_does(
    untaught: Shelf, wanted: Generation, made: Generation, must: bool
):
    live = replace(untaught.trained.live, trained=[[1]], answers=[wanted], taught=frozenset())

    assert parity._to_end(live, [made], (STOP,)) == [made] * must
    assert parity._to_end(replace(live, taught=frozenset([0])), [made], (STOP,)) == [made]
