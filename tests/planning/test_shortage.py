"""What will not fit after the training is told before it."""

from pathlib import Path
from typing import Any

import pytest

from foundry.cli.progress.sentences import sentence
from foundry.core.events import Events
from foundry.core.sizes import GIB
from foundry.planning import shortage
from tests.delivery.made_run import make_run
from tests.tiny_recipe import TinyRecipe, lay_out


def told(tmp_path: Path, parameters: int | None) -> list[Any]:
    """The events about the plan of a model of this size."""
    estimate = {} if parameters is None else {"parameters": parameters}
    seen = list[Any]()
    shortage.tell_beforehand(Events([seen.append]), make_run(tmp_path, estimate=estimate).plan)
    return seen


@pytest.mark.parametrize(
    ("parameters", "limit", "is_told"),
    [
        (12_000_000_000, 24 * GIB, True),
        (6_442_450_945, 24 * GIB, True),
        (6_442_450_944, 24 * GIB, False),
        (270_000_000, 24 * GIB, False),
        (12_000_000_000, None, False),
        (None, 24 * GIB, False),
    ],
)
def test_model_that_memory_does_not_hold_whole_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parameters, limit, is_told
):
    monkeypatch.setattr(shortage, "memory_limit_bytes", lambda: limit)

    seen = told(tmp_path, parameters)

    assert [event["code"] for event in seen] == ["whole-model"] * is_told


def test_it_is_said_with_what_it_takes_and_what_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(shortage, "memory_limit_bytes", lambda: 24 * GIB)

    (event,) = told(tmp_path, 12_000_000_000)

    assert sentence(event) == (
        "export: exports and evaluation hold the model in float32, which takes 44.7 GiB; 24.0 GiB "
        "of memory can be had\n  fix: add memory or swap space before they begin, or take a "
        "smaller base of `foundry model list`"
    )


@pytest.mark.parametrize("exports", [[{"kind": "adapter"}], []])
def test_data_stage_tells_it_where_something_is_exported(
    tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exports
):
    recipe: TinyRecipe = lay_out(tmp_path / "r", tiny_base, exports=exports)
    monkeypatch.setattr(shortage, "memory_limit_bytes", lambda: 1)

    trained = recipe.train("--until", "data")

    assert ("hold the model in float32" in trained.err) == bool(exports)
