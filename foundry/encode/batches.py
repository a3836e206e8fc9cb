"""Examples -> tables of rows, a batch at a time; many batches in a process for each core.

A batch is rendered, masked, tokenised, checked and counted in one place, and nothing of it hangs
on another, so that the rows and the report are the same whatever made them.
"""

import gc
import json
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from itertools import chain, islice
from typing import Any, TypeVar

from foundry.core.environment import cores
from foundry.core.errors import DataError, Problem, ResourceError
from foundry.core.language import gettext as _
from foundry.core.recipe import Encode
from foundry.core.records import Example
from foundry.encode import render
from foundry.encode.checks import check_many
from foundry.encode.mask_report import NAMED, MaskReport
from foundry.encode.overlong import Fitter
from foundry.encode.rows import Encoded
from foundry.encode.tables import table_of
from foundry.encode.tally import Tally
from foundry.encode.tokenize import Encoder

T = TypeVar("T")
Made = tuple[Tally, Any]
"""What was counted of a batch, and the table of its rows."""

BATCH_EXAMPLES = 256
BATCH_CHARS = 1 << 20
GROUP_TOKENS = 1 << 18  # ids of a row group; 2 MiB with their labels
FEW_BATCHES = 2  # which this process encodes sooner than others could begin
MOST_PROCESSES = 8  # 25 MiB of its own each on Linux; else a tokenizer too
THREADS = "TOKENIZERS_PARALLELISM"


def encoded_tables(lines: Iterable[str], settings: Encode, report: MaskReport) -> Iterator[Any]:
    """The rows of all examples in order, a table for each batch, counted in `report`.

    Args:
        lines: The examples of a part, each as its line of JSON.
        settings: The recipe's `encode` block.
        report: Counts what is made; new.

    Raises:
        DataError: The template can be used for no row, or `NAMED` faults were found already.
        ResourceError: The system ended a process that encodes.
    """
    coming = batches(lines)
    first = list(islice(coming, FEW_BATCHES + 1))
    processes = min(MOST_PROCESSES, cores()) if len(first) > FEW_BATCHES else 1
    do = partial(encode_batch, settings=settings, encoder=report.encoder)
    every = chain(first, coming)
    for tally, table in map(do, every) if processes == 1 else in_processes(do, every, processes):
        report.include(tally)
        if len(report.faults) >= NAMED:
            raise DataError(report.faults)
        yield table


def encode_batch(lines: Sequence[str], settings: Encode, encoder: Encoder) -> Made:
    """The rows of a batch and what was counted."""
    import pyarrow as pa

    batch = [Example.from_dict(json.loads(line)) for line in lines]
    tally = Tally(examples=len(batch))
    tables = [table_of([])]
    for group in bounded(Fitter(settings, encoder, tally).fitted(batch), tokens_of, GROUP_TOKENS):
        for encoded, faults in zip(group, check_many(group, encoder), strict=True):
            tally.add(encoded, faults)
        tables.append(table_of([row for encoded in group for row in encoded.rows]))
    return tally, pa.concat_tables(tables)


def in_processes(do: Callable[[T], Made], items: Iterable[T], processes: int) -> Iterator[Made]:
    """What `do` makes of each item, in order, each in one of some processes."""
    coming = deque[Future[Made]]()
    with pool(do, processes) as workers:
        try:
            for item in items:
                coming.append(workers.submit(_do, item))
                if len(coming) > 2 * processes:
                    yield coming.popleft().result()
            while coming:
                yield coming.popleft().result()
        except BrokenProcessPool:
            what = _("a process that encodes was ended by the system; it may lack memory")
            fix = _("free some memory, then run the same command again")
            raise ResourceError(Problem("encode", what, fix)) from None


@contextmanager
def pool(do: Callable[[T], Made], processes: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that can `do`; they end with the block, or with this process."""
    render.stop()  # its pipes would stay open in the others
    before = os.environ.get(THREADS)
    os.environ[THREADS] = "false"  # as many processes as cores: a thread each
    workers = ProcessPoolExecutor(processes, initializer=_begin, initargs=(do,))
    try:
        yield workers
    finally:
        workers.shutdown(cancel_futures=True)
        if before is None:
            del os.environ[THREADS]
        else:
            os.environ[THREADS] = before


_work: Callable[[Any], Made]


def _begin(do: Callable[[Any], Made]) -> None:
    """Make ready a process that encodes: the terminal's Ctrl-C is its parent's to answer."""
    global _work
    _work = do
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    gc.set_threshold(50_000)  # rows, which are many, have no cycles; at 700 it took an eighth
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _do(item: Any) -> Made:
    return _work(item)


def batches(lines: Iterable[str]) -> Iterator[list[str]]:
    """Lines in lists of bounded number and length."""
    return bounded(lines, len, BATCH_CHARS)


def bounded(items: Iterable[T], size: Callable[[T], int], most: int) -> Iterator[list[T]]:
    """Items in lists of at most `BATCH_EXAMPLES`, of at most `most` together unless one is more."""
    batch, total = list[T](), 0
    for item in items:
        if batch and (len(batch) == BATCH_EXAMPLES or total + size(item) > most):
            yield batch
            batch, total = [], 0
        batch.append(item)
        total += size(item)
    if batch:
        yield batch


def tokens_of(encoded: Encoded) -> int:
    """Ids of all rows of an example, both sides of a preference."""
    return sum(len(piece.ids) for piece in encoded.pieces)
