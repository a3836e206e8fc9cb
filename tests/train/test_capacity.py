"""A run whose update is smaller than what it is to learn says so, and goes on."""

from dataclasses import replace
from pathlib import Path

import pytest

from foundry.core.events import Event
from foundry.core.records import EncodedRow
from foundry.encode.checks import supervised_tokens
from foundry.train import capacity, proof
from foundry.train.adapters import full, lora
from foundry.train.trainers import sft
from tests.cases import case, change
from tests.tiny_run import Setup, fast, open_run

TINY = lora.Spec(rank=1, alpha=2, target_modules=("k_proj",))


@pytest.mark.parametrize(("trained", "is_warned"), [(99, True), (100, False), (101, False)])
def test_as_many_numbers_as_tokens_are_enough(trained: int, is_warned: bool):
    assert (capacity.warning(trained, 100) is not None) == is_warned


def many(rows: list[EncodedRow], tokens: int) -> list[EncodedRow]:
    """The rows again and again, until more tokens than that are supervised."""
    made = list[EncodedRow]()
    while sum(map(supervised_tokens, made)) <= tokens:
        number = len(made) // len(rows)
        made += [EncodedRow(f"{r.id}-{number}", r.input_ids, r.labels) for r in rows]
    return made


@case("C18", {"nobody compares": change(capacity, "warning", lambda trained, supervised: None)})
def test_run_tells_and_records_it(tiny_llama: Path, tmp_path: Path):
    heard = list[Event]()
    inputs = open_run(Setup(tiny_llama, 8, adapter=TINY), tmp_path, heard.append)
    trained = sum(p.numel() for p in proof.trainable(inputs.model).values())
    assert trained == 2 * 1 * (64 + 32)  # layers, rank, widths in and out
    rows = many(list(inputs.rows), trained)

    result = sft.fit(replace(inputs, rows=rows), fast(8, learning_rate=0.1))

    supervised = sum(map(supervised_tokens, rows))
    expected = {"code": "capacity", "trained": trained, "supervised": supervised}
    assert result.warnings == (expected,)
    (told,) = [event for event in heard if event["event"] == "warning"]
    assert {key: told[key] for key in expected} == expected


def test_run_with_room_says_nothing(tiny_llama: Path, tmp_path: Path):
    inputs = open_run(Setup(tiny_llama, 3, adapter=full.Spec(), method=full), tmp_path)

    assert sft.fit(inputs, fast(3)).warnings == ()
