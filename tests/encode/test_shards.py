"""Shards are found again by all that made them, and never when one of it changed (C21)."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from foundry.core import atomic
from foundry.core.records import BaseModel, Plan
from foundry.core.rundir import RunDir
from foundry.encode.shards import encode_rows, read_shards, shard_key, write_shards
from foundry.encode.tokenize import Encoder
from tests.encoders import example, tiny_encoder

ROWS = [example("多少錢？", "三百元。"), example("顏色？", "白色。", line=3)]
BASE = BaseModel("tiny", "gemma3", None, None, "0" * 64, "unknown", "base", None, 1, 512)


def plan(**encode: Any) -> Plan:
    """A plan with the encode settings given."""
    values = {"encode": {"max_seq_len": 64, "overlong": "drop", "system": None, **encode}}
    return Plan(
        name="tiny",
        fingerprint="0" * 64,
        foundry_version="1",
        recipe_path="recipe.yaml",
        values=values,
        origins={},
        base=BASE,
        inputs={},
        licences=(),
        accepted_terms=(),
        resolved={},
        estimate={},
    )


def key(made_by: Plan, train: bytes, encoder: Encoder) -> str:
    import hashlib

    return atomic.fingerprint(shard_key(made_by, hashlib.sha256(train).hexdigest(), encoder))


def with_token(encoder: Encoder) -> Encoder:
    encoder.tokenizer.add_tokens(["電風扇"])
    return encoder


CHANGES: dict[str, Callable[[], str]] = {
    "template": lambda: key(
        plan(), b"rows", tiny_encoder("gemma3", template=tiny_encoder("gemma3").template + " ")
    ),
    "tokenizer": lambda: key(plan(), b"rows", with_token(tiny_encoder("gemma3"))),
    "max_seq_len": lambda: key(plan(max_seq_len=65), b"rows", tiny_encoder("gemma3")),
    "system text": lambda: key(plan(system="好"), b"rows", tiny_encoder("gemma3")),
    "a byte of the data": lambda: key(plan(), b"rowt", tiny_encoder("gemma3")),
    "version": lambda: key(replace(plan(), foundry_version="2"), b"rows", tiny_encoder("gemma3")),
}


@pytest.mark.parametrize("changed", CHANGES.values(), ids=CHANGES)
def test_any_change_gives_another_key(changed: Callable[[], str]):  # C21
    assert changed() != key(plan(), b"rows", tiny_encoder("gemma3"))


def test_same_inputs_give_the_same_key():  # C21
    assert key(plan(), b"rows", tiny_encoder("gemma3")) == key(
        plan(), b"rows", tiny_encoder("gemma3")
    )


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    return RunDir(tmp_path)


def write(run: RunDir):
    """Shards of `ROWS` in a run, with the report they were made of."""
    encoder = tiny_encoder("gemma3")
    report = encode_rows(ROWS, encoder, max_seq_len=64, overlong="drop")
    parts = shard_key(plan(), "0" * 64, encoder)
    return report, write_shards(report, parts, run.file("data", "shards"))


def test_rows_read_back_are_those_encoded(run: RunDir):  # C03: both routes have the same labels
    report, shards = write(run)

    assert read_shards(run.file("data", "shards", shards.file)) == report.kept


def test_record_says_what_is_in_the_file(run: RunDir):
    report, shards = write(run)

    counts = report.as_dict()
    assert (shards.rows, shards.tokens) == (2, counts["tokens"])
    assert shards.supervised_tokens == counts["supervised_tokens"]
    assert shards.longest == max(len(row.input_ids) for row in report.kept)
    assert shards.stop_ids == (tiny_encoder("gemma3").special["<end_of_turn>"],)
    assert shards.sha256 == atomic.sha256(run.file("data", "shards", shards.file))
    assert shards.key == atomic.fingerprint(dict(shards.key_parts))


def test_changed_byte_in_a_shard_is_noticed(run: RunDir):  # C21
    _report, shards = write(run)
    file = run.file("data", "shards", shards.file)
    run.finish("encode", "inputs", {}, [file], 0.0)
    assert run.is_done("encode", "inputs")

    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)

    assert not run.is_done("encode", "inputs")
