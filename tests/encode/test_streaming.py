"""Rows go through in batches: in order, without being kept, by one process or by many."""

import json
import os
import pickle
import signal
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from foundry.core.errors import DataError, ResourceError
from foundry.core.recipe import Encode
from foundry.core.records import Example, Turn
from foundry.encode import batches, checks, shards
from foundry.encode.mask_report import MaskReport
from foundry.encode.shards import write_shards
from tests.encoders import encode_all, example, lines_of, tiny_encoder

ENCODER = tiny_encoder("gemma3")
MANY = 200
LONG = "很長" * 200


def rows(count: int) -> Iterator[Example]:
    return (example("電風扇多少錢？", "售價三百元。", line=line) for line in range(count))


def mixed(count: int) -> Iterator[Example]:
    """Rows of which some are refused, some too long, and some more than a question."""
    for n, row in enumerate(rows(count)):
        if n % 37 == 5:
            row = replace(row, messages=(row.messages[0], *row.messages))
        elif n % 29 == 7:
            row = replace(row, messages=(row.messages[0], Turn("assistant", LONG * (1 + n % 2))))
        elif n % 11 == 3:
            row = replace(row, messages=row.messages * (1 + n % 3))
        yield row


def written(folder: Path, **settings: object) -> tuple[bytes, bytes, str]:
    """The shard, the list of what was left out, and the report."""
    made = write_shards(
        lines_of(mixed(MANY)),
        Encode(**{"max_seq_len": 64, **settings}),
        MaskReport(ENCODER),
        key_parts={},
        folder=folder,
        max_refused=0.5,
    )
    left_out = (folder / shards.LEFT_OUT).read_bytes()
    return (folder / made.file).read_bytes(), left_out, json.dumps(made.mask, ensure_ascii=False)


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(batches, "BATCH_EXAMPLES", 16)


@pytest.mark.parametrize("overlong", ["drop", "split", "cut-prompt-left"])
def test_processes_make_what_one_makes(
    overlong: str, small_batches, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    made = []
    for count in (1, 2, 3):
        monkeypatch.setattr(batches, "cores", lambda count=count: count)
        made.append(written(tmp_path / str(count), overlong=overlong))

    assert made[0] == made[1] == made[2]
    counts = json.loads(made[0][2])
    assert counts["examples"] == MANY
    assert counts["dropped"]["template-refused"] and counts["over_limit"]["examples"]


def test_batches_make_what_each_row_makes(small_batches, monkeypatch: pytest.MonkeyPatch):
    some, report = encode_all(mixed(60), ENCODER, max_refused=0.5)
    counts = report.as_dict()
    monkeypatch.setattr(batches, "BATCH_EXAMPLES", 1)
    monkeypatch.setattr(batches, "cores", lambda: 1)

    found, report = encode_all(mixed(60), ENCODER, max_refused=0.5)

    assert found == some
    assert report.as_dict() == counts
    assert report.examples == 60


def test_more_than_one_process_was_at_work(small_batches, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(batches, "cores", lambda: 2)
    right = batches.encode_batch

    def noting(lines, settings, encoder):
        tally, table = right(lines, settings, encoder)
        tally.lost[f"{os.getpid()}"] += 1
        return tally, table

    monkeypatch.setattr(batches, "encode_batch", noting)
    _rows, report = encode_all(rows(MANY), ENCODER)

    assert str(os.getpid()) not in report.lost
    assert 1 <= len(report.lost) <= 2


def test_refusal_of_a_process_is_told_as_of_this_one(small_batches, monkeypatch):
    monkeypatch.setattr(batches, "cores", lambda: 2)
    monkeypatch.setattr(checks, "_bos_count", lambda ids, bos_id: 0)

    with pytest.raises(DataError) as caught:
        encode_all(rows(MANY), ENCODER)

    assert "exactly one BOS" in caught.value.problems[0].what
    assert caught.value.problems[0].where == "rows.csv:0"


def test_template_for_no_row_is_refused_by_a_process_as_by_this_one(small_batches, monkeypatch):
    endless = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    encoder, told = tiny_encoder("gemma3", template=endless), []
    for count in (1, 2):
        monkeypatch.setattr(batches, "cores", lambda count=count: count)
        with pytest.raises(DataError) as caught:
            encode_all(rows(MANY), encoder)
        told.append((str(caught.value), caught.value.problems))

    assert told[0] == told[1]
    assert told[0][1][0].where == "chat_template"


def test_process_that_the_system_ends_is_told(small_batches, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(batches, "cores", lambda: 2)
    here = os.getpid()

    def ended(ids, bos_id):
        assert os.getpid() != here
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(checks, "_bos_count", ended)
    with pytest.raises(ResourceError, match="ended by the system"):
        encode_all(rows(MANY), ENCODER)


def test_encoder_can_be_sent_to_a_process():
    sent = pickle.loads(pickle.dumps(ENCODER))

    assert encode_all(rows(3), sent)[0] == encode_all(rows(3), ENCODER)[0]


ORPHAN = """
import os, sys, time
sys.path.insert(0, {root!r})
from foundry.encode import batches
from tests.encode.test_streaming import ENCODER, lines_of, rows
from foundry.core.recipe import Encode
from foundry.encode.mask_report import MaskReport
batches.cores, batches.BATCH_EXAMPLES = (lambda: 2), 16
tables = batches.encoded_tables(lines_of(rows(10**9)), Encode(max_seq_len=64), MaskReport(ENCODER))
next(tables)
import multiprocessing
print(*(child.pid for child in multiprocessing.active_children()), flush=True)
time.sleep(60)
"""


def test_processes_end_with_the_one_that_is_killed():
    root = str(Path(__file__).parents[2])
    code = ORPHAN.format(root=root)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        children = [int(pid) for pid in parent.stdout.readline().split()]
        parent.kill()
    assert len(children) == 2

    for _try in range(100):
        if not any(Path(f"/proc/{pid}/cmdline").exists() and is_running(pid) for pid in children):
            return
        time.sleep(0.1)
    pytest.fail(f"processes live on: {children}")


def is_running(pid: int) -> bool:
    state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    return state not in "ZX"


def peak_of(count: int, folder: Path) -> int:
    """Most bytes that Python held while so many rows were written."""
    tracemalloc.start()
    write_shards(
        lines_of(rows(count)),
        Encode(max_seq_len=64),
        MaskReport(ENCODER),
        key_parts={},
        folder=folder,
    )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize("processes", [1, 2])
def test_memory_does_not_grow_with_the_rows(
    processes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(batches, "cores", lambda: processes)
    monkeypatch.setattr(batches, "BATCH_EXAMPLES", 32)
    monkeypatch.setattr(shards, "GROUP_TOKENS", 2048)
    peak_of(64, tmp_path)  # what is imported and learned at the first use

    few, many = peak_of(320, tmp_path), peak_of(1800, tmp_path)

    assert many < 1.2 * few
