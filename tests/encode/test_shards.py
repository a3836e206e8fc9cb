"""Shards are found again by all that made them, and never when one of it changed (C21)."""

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from foundry.core import atomic
from foundry.core.errors import DataError
from foundry.core.recipe import Encode
from foundry.core.records import BaseModel, Example, Plan, ShardSet, Turn
from foundry.core.rundir import RunDir
from foundry.encode import batches as batches_module
from foundry.encode import shards as shards_module
from foundry.encode.batches import BATCH_CHARS, BATCH_EXAMPLES, batches
from foundry.encode.mask_report import NAMED, MaskReport
from foundry.encode.rows import encode
from foundry.encode.shards import read_shards, shard_key, write_shards
from foundry.encode.tokenize import Encoder
from tests.encoders import encode_all, example, lines_of, tiny_encoder

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


def write(run: RunDir, rows: Iterable[Example] = ROWS) -> ShardSet:
    """Shards in a run."""
    encoder = tiny_encoder("gemma3")
    return write_shards(
        lines_of(rows),
        Encode(max_seq_len=64),
        MaskReport(encoder),
        key_parts=shard_key(plan(), "0" * 64, encoder),
        folder=run.file("data", "shards"),
    )


def test_rows_read_back_are_those_encoded(run: RunDir):  # C03: both routes have the same labels
    shards = write(run)

    live, _report = encode_all(ROWS, tiny_encoder("gemma3"))
    assert read_shards(run.file("data", "shards", shards.file)) == live


def test_preference_and_label_are_read_back(run: RunDir):
    pair = replace(ROWS[0], rejected=Turn("assistant", "不知道。"))
    judged = replace(ROWS[1], label=False)

    shards = [write(run, [row]) for row in (pair, judged)]

    assert [one.type for one in shards] == ["preference", "unpaired-preference"]
    (found,) = read_shards(run.file("data", "shards", shards[1].file))
    assert found == encode(judged, tiny_encoder("gemma3")).row
    write(run, [pair])
    (found,) = read_shards(run.file("data", "shards", shards[0].file))
    assert found == encode(pair, tiny_encoder("gemma3")).row


def test_record_says_what_is_in_the_file(run: RunDir):
    shards = write(run)

    rows, report = encode_all(ROWS, tiny_encoder("gemma3"))
    counts = report.as_dict()
    assert (shards.rows, shards.tokens) == (2, counts["tokens"])
    assert shards.supervised_tokens == counts["supervised_tokens"]
    assert shards.longest == max(len(row.input_ids) for row in rows)
    assert shards.stop_ids == (tiny_encoder("gemma3").special["<end_of_turn>"],)
    assert shards.sha256 == atomic.sha256(run.file("data", "shards", shards.file))
    assert shards.key == atomic.fingerprint(dict(shards.key_parts))
    assert shards.mask == counts
    assert shards.type == "conversation"


def test_refused_rows_leave_the_shards_of_before_as_they_are(run: RunDir):
    before = write(run)

    with pytest.raises(DataError):
        write(run, [example("長" * 100, "好")])

    folder = run.file("data", "shards")
    assert sorted(file.name for file in folder.iterdir()) == ["left_out.jsonl", before.file]
    assert (folder / "left_out.jsonl").read_text(encoding="utf-8") == ""
    assert atomic.sha256(folder / before.file) == before.sha256


def test_every_row_that_is_left_out_is_listed(run: RunDir):
    long = [example("長" * 100, "好", line=line) for line in range(50)]

    shards = write(run, [*ROWS, *long])

    lines = run.file("data", "shards", "left_out.jsonl").read_text(encoding="utf-8").splitlines()
    listed = [json.loads(line) for line in lines]
    assert [row["line"] for row in listed] == list(range(50))
    assert {row["code"] for row in listed} == {"over-length"}
    assert len(shards.mask["dropped_rows"]) == NAMED


def test_rows_leave_in_groups_of_bounded_size(run: RunDir, monkeypatch: pytest.MonkeyPatch):
    import pyarrow.parquet as pq

    monkeypatch.setattr(shards_module, "GROUP_TOKENS", 100)
    monkeypatch.setattr(batches_module, "BATCH_EXAMPLES", 2)
    rows = [example("多少錢？", "三百元。", line=line) for line in range(20)]

    shards = write(run, rows)

    path = run.file("data", "shards", shards.file)
    assert pq.ParquetFile(path).num_row_groups > 3
    assert [row.id for row in read_shards(path)] == [row.id for row in rows]


def test_examples_are_taken_in_batches_of_bounded_number_and_length():
    long = "長" * (BATCH_CHARS // 2 + 1)
    many = ["短"] * (BATCH_EXAMPLES + 1)

    assert [len(batch) for batch in batches([long, long, "短"])] == [1, 2]
    assert [len(batch) for batch in batches(many)] == [BATCH_EXAMPLES, 1]
    assert list(batches([])) == []


def test_changed_byte_in_a_shard_is_noticed(run: RunDir):  # C21
    shards = write(run)
    file = run.file("data", "shards", shards.file)
    run.finish("encode", "inputs", {}, [file], 0.0)
    assert run.is_done("encode", "inputs")

    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)

    assert not run.is_done("encode", "inputs")
