"""Rows go through in batches: in order, a step ahead, and without being kept."""

import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from foundry.core.errors import DataError
from foundry.core.recipe import Encode
from foundry.core.records import Example
from foundry.encode import shards
from foundry.encode.mask_report import MaskReport
from foundry.encode.shards import ahead, write_shards
from tests.encoders import example, tiny_encoder

ENCODER = tiny_encoder("gemma3")


@pytest.mark.parametrize("most", [1, 3])
def test_work_is_some_items_ahead_and_in_order(most: int):
    made, threads = list[int](), set[int]()

    def square(number: int) -> int:
        made.append(number)
        threads.add(threading.get_ident())
        return number * number

    seen = []
    for item, result in ahead(most, square, range(5)):
        seen.append((item, result))
        assert len(made) >= min(5, item + 1)

    assert seen == [(n, n * n) for n in range(5)]
    assert threading.get_ident() not in threads


def test_what_goes_wrong_ahead_is_raised_in_its_place():
    def refuse(number: int) -> int:
        if number == 2:
            raise DataError([])
        return number

    found = ahead(2, refuse, range(5))

    assert [next(found), next(found)] == [(0, 0), (1, 1)]
    with pytest.raises(DataError):
        next(found)


def rows(count: int) -> Iterator[Example]:
    return (example("電風扇多少錢？", "售價三百元。", line=line) for line in range(count))


def peak_of(count: int, folder: Path) -> int:
    """Most bytes that Python held while so many rows were written."""
    tracemalloc.start()
    write_shards(
        rows(count), Encode(max_seq_len=64), MaskReport(ENCODER), key_parts={}, folder=folder
    )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_memory_does_not_grow_with_the_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shards, "BATCH_EXAMPLES", 32)
    monkeypatch.setattr(shards, "GROUP_TOKENS", 2048)
    peak_of(64, tmp_path)  # what is imported and learned at the first use

    few, many = peak_of(100, tmp_path), peak_of(1500, tmp_path)

    assert many < 1.2 * few
