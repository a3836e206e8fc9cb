"""Rows leave a batch as they end: nobody's answer changes, and the rest is not computed (C26)."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from transformers import DynamicCache

from foundry.runtime import leaving
from foundry.runtime.contract import Decoding, Generation
from foundry.runtime.transformers import TransformersRuntime
from tests import tiny
from tests.cases import case, change
from tests.padding import WRONG_PADDING
from tests.tiny_models import MODELS, STATEFUL
from tests.tiny_run import Trained

PROMPTS = [[1, *range(300 + 7 * n, 330 + 10 * n)] for n in range(6)]  # of 31 to 46 ids


def nobody_leaves(ended: Any, width: int, *, may_leave: bool) -> Any:
    return lambda ids_BT, _scores, **_more: ended(ids_BT[:, width:])


def all_leave(new_BT: torch.Tensor, most: int, ended: Any, *, may_leave: bool) -> torch.Tensor:
    """Rows that would go on are taken for done."""
    return torch.ones(len(new_BT), dtype=torch.bool)


def last_rows(cache: DynamicCache, indices: torch.Tensor) -> None:
    """As many rows as are to stay, but others."""
    for layer in cache.layers:
        rows = len(layer.keys)
        layer.batch_select_indices(torch.arange(rows - len(indices), rows))


STAY = {"rows stay to the end": change(leaving, "_half", nobody_leaves)}
LEAVE = {"rows leave before their end": change(leaving, "_done", all_leave)}
OTHERS = {"other rows stay": change(DynamicCache, "batch_select_indices", last_rows)}


@pytest.fixture(params=["trained_llama", "trained_gemma3"])
def trained(request: pytest.FixtureRequest) -> Trained:
    made: Trained = request.getfixturevalue(request.param)
    return made


def asked(trained: Trained, batch_size: int, decoding: Decoding) -> list[Generation]:
    tuned = trained.tuned
    runtime = TransformersRuntime(tuned.model, tuned.encoder.tokenizer, batch_size=batch_size)
    return runtime.generate(trained.live.trained, decoding)


@case("C26", WRONG_PADDING | LEAVE)
@pytest.mark.parametrize("stop_strings", [(), (" dollars",)])
def test_answers_are_those_of_each_prompt_alone(trained: Trained, stop_strings: tuple[str, ...]):
    decoding = Decoding(40, trained.tuned.stop_ids, stop_strings)

    together = asked(trained, 8, decoding)

    assert together == asked(trained, 1, decoding)
    assert len({len(made.ids) for made in together}) > 2  # they end one after the other


@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_family_goes_on_without_the_rows_that_left(name: str):
    """Those with a state of the whole text keep their rows, and answer the same too."""
    check_answers(name)


@case("C26", LEAVE | OTHERS)
@pytest.mark.parametrize("name", ["llama", "gemma3"])
def test_row_that_goes_on_keeps_its_own_state(name: str):
    check_answers(name)


def check_answers(name: str) -> None:
    model = tiny.random_model(name, tied=False)
    runtime = TransformersRuntime(model, tiny.tiny_tokenizer(name))
    decoding = Decoding(16, stops(runtime.generate(PROMPTS, Decoding(16))))

    with rows_read(model) as read:
        together = runtime.generate(PROMPTS, decoding)

    assert together == [runtime.generate([prompt], decoding)[0] for prompt in PROMPTS]
    assert len({len(made.ids) for made in together}) > 2
    assert (min(read) < len(PROMPTS)) == (name not in STATEFUL)


def stops(made: Sequence[Generation]) -> tuple[int, ...]:
    """Ids at which these answers would end one after the other."""
    return tuple({one.ids[2 * n + 1] for n, one in enumerate(made[:-1])})


@case("C26", STAY)
def test_what_has_ended_is_not_computed_on(trained: Trained):
    model = trained.tuned.model
    with rows_read(model.get_base_model()) as read:
        made = asked(trained, 8, Decoding(40, trained.tuned.stop_ids))

    longest = max(len(one.ids) for one in made)
    assert sum(read) <= 2 * sum(len(one.ids) for one in made) < 8 * longest


@contextmanager
def rows_read(model: Any) -> Iterator[list[int]]:
    """How many rows each pass of the model inside has."""
    found: list[int] = []

    def look(_model: Any, _given: Any, named: dict[str, torch.Tensor]) -> None:
        found.append(len(named["input_ids"]))

    hook = model.register_forward_pre_hook(look, with_kwargs=True)
    try:
        yield found
    finally:
        hook.remove()


@pytest.mark.parametrize("kind", ["dynamic", "longrope"])
def test_rows_stay_where_the_longest_decides_on_the_places_of_all(kind: str):
    model = tiny.random_model("llama3.2", tied=False)
    runtime = TransformersRuntime(model, tiny.tiny_tokenizer("llama3.2"))
    decoding = Decoding(16, stops(runtime.generate(PROMPTS, Decoding(16))))
    model.config.rope_parameters = {**model.config.rope_parameters, "rope_type": kind}

    with rows_read(model) as read:
        runtime.generate(PROMPTS, decoding)

    assert min(read) == len(PROMPTS)
