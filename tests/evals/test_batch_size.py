"""How many prompts share a batch changes no answer and no score (C26)."""

from pathlib import Path
from typing import Any

import pytest

from foundry.core import plugins
from foundry.core.blocks import Block
from foundry.evals.answering import Asked, Prompting, Sheet, ask, settings
from foundry.evals.answers import Column, Item
from foundry.evals.metrics import metrics_of
from foundry.evals.scoring import score_all
from foundry.runtime.contract import Decoding
from foundry.runtime.transformers import TransformersRuntime
from foundry.train.batches.collate import flat
from tests.cases import case
from tests.padding import WRONG_PADDING
from tests.tiny_run import ROWS, Trained

ITEMS = [Item(row, "test") for row in ROWS]


@pytest.fixture(params=["trained_llama", "trained_gemma3"])
def trained(request: pytest.FixtureRequest) -> Trained:
    made: Trained = request.getfixturevalue(request.param)
    return made


def column(trained: Trained, batch_size: int, file: Path) -> Column:
    """What the model says to every row it learned, in batches of a size."""
    tuned = trained.tuned
    prompts = {row.id: tuned.encoder.prompt_ids(row.prompt) for row in ROWS}
    decoding = Decoding(40, tuned.stop_ids)
    said = settings([*prompts.values()], decoding, Prompting(tuned.encoder.template))
    asked = Asked("tuned", {"en": "Tuned"}, prompts, decoding, said)
    runtime = TransformersRuntime(tuned.model, tuned.encoder.tokenizer, batch_size=batch_size)
    return ask(runtime, ITEMS, asked, Sheet(file, "a", lambda *_: None))


def scores(one: Column) -> dict[Any, Any]:
    """The score of each item by two metrics."""
    kinds = ("character-f1", "stop-rate")
    blocks = [Block(kind=kind, spec=plugins.load("evaluator", kind).Spec()) for kind in kinds]
    return dict(score_all(ITEMS, [one], metrics_of(blocks, ITEMS), naive=(), seed=0).values)


@case("C26", WRONG_PADDING)
def test_answers_and_scores_do_not_depend_on_the_batch(trained: Trained, tmp_path: Path):
    rows = [{"id": r.id, "input_ids": r.input_ids, "labels": r.labels} for r in trained.rows]
    collated = flat(rows)["input_ids"].tolist()

    made = {size: column(trained, size, tmp_path / f"{size}.jsonl") for size in (1, 2, 3, 8)}

    alone = made.pop(1)
    assert [one.answers for one in made.values()] == [alone.answers] * 3
    assert [scores(one) for one in made.values()] == [scores(alone)] * 3
    assert flat(rows)["input_ids"].tolist() == collated  # training goes on without padding
